//! The document of a license.

use documents::license::{License, pdf};
use documents::qr::{Payload, SigningKey, short_hash, sign};
use documents::{DocumentError, Language};
use uuid::Uuid;

use crate::poppler::{self, Picture};

const ID: Uuid = Uuid::from_u128(0x0199_0a4e_5a3c_7cc2_9d1e_0a7b_6c5d_4e3f);

fn code(name: &str) -> String {
    let payload = Payload {
        key_id: 1,
        license_id: ID,
        license_type: short_hash(b"konkurranse-bilcross"),
        club: short_hash(Uuid::nil().as_bytes()),
        first_day: "2026-06-06".parse().unwrap(),
        days: 2,
        birth_date: "1990-05-17".parse().unwrap(),
        vehicle: short_hash(b"EK12345"),
        name: name.into(),
    };
    sign(&payload, &SigningKey::from_seed(1, &[7; 32]).unwrap()).unwrap()
}

fn license<'a>(holder: &'a str, code: &'a str) -> License<'a> {
    License {
        number: "BL-7F3K-92QD-1",
        license_id: ID,
        type_name: "Konkurranselisens bilcross",
        club: "NMK Østre Ærfugl og Ålesund",
        first_day: "2026-06-06".parse().unwrap(),
        days: 2,
        holder,
        birth_date: "1990-05-17".parse().unwrap(),
        vehicle: Some("EK12345"),
        issued_on: "2026-05-01".parse().unwrap(),
        code,
    }
}

#[test]
fn a_license_shows_what_it_says_and_a_code_that_reads_back() {
    if !poppler::is_there() {
        return;
    }
    let code = code("Kari Øvergård-Łukasz Müller");
    for (language, texts) in [
        (
            Language::Nb,
            [
                "6.–7. juni 2026",
                "Innehaver",
                "17. mai 1990",
                "Utstedt 1. mai 2026",
            ],
        ),
        (
            Language::En,
            ["6–7 June 2026", "Holder", "17 May 1990", "Issued 1 May 2026"],
        ),
    ] {
        let pdf = pdf(&license("Kari Øvergård-Łukasz Müller", &code), language).unwrap();
        let picture = Picture::of(&pdf);
        assert_eq!(picture.code(), code);
        assert!((0.1..0.6).contains(&picture.darkness()), "{}", picture.darkness());
        let text = poppler::text(&pdf);
        let same = [
            "Kari Øvergård-Łukasz Müller",
            "EK12345",
            "NMK Østre Ærfugl og Ålesund",
            "BL-7F3K-92QD-1",
        ];
        for part in texts.iter().chain(&same) {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(pdf.len() < 60_000, "{} bytes", pdf.len());
    }
}

#[test]
fn names_that_are_long_or_of_another_script_leave_the_code_readable() {
    if !poppler::is_there() {
        return;
    }
    let long = "Anne-Margrethe ".repeat(14);
    for name in [
        long.trim(),
        "李小龍 Kari",
        "N",
        "",
        "A\u{feff}\u{0}\u{e000}\u{301}\nB",
        &"Ø".repeat(200),
        "محمد",
    ] {
        let code = code(name);
        let pdf = pdf(&license(name, &code), Language::Nb).unwrap();
        assert_eq!(Picture::of(&pdf).code(), code, "{name}");
    }
    let text = poppler::text(&pdf(&license("李小龍 Kari", &code("x")), Language::Nb).unwrap());
    assert!(text.contains("Kari"), "{text}");
}

#[test]
fn the_same_license_gives_the_same_file() {
    let code = code("Kari Nordmann");
    let file = || pdf(&license("Kari Nordmann", &code), Language::Nb).unwrap();
    assert_eq!(file(), file());
    let too_long = "A".repeat(4000);
    let refused = pdf(&license("Kari Nordmann", &too_long), Language::Nb);
    assert!(matches!(refused, Err(DocumentError::CodeTooLong)));
}
