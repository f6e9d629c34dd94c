use chrono::{DateTime, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const SEED: [u8; 32] = [7; 32];

fn key() -> SigningKey {
    SigningKey::from_seed(3, &SEED).unwrap()
}

fn public() -> PublicKey {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    PublicKey {
        id: 3,
        key: key().public(),
        not_before: at("2026-01-01T00:00:00Z"),
        not_after: at("2028-12-31T23:59:59Z"),
    }
}

fn payload() -> Payload {
    Payload {
        key_id: 3,
        license_id: Uuid::from_u128(1),
        license_type: short_hash(b"konkurranse-bilcross"),
        club: short_hash(Uuid::nil().as_bytes()),
        first_day: "2026-06-05".parse().unwrap(),
        days: 2,
        birth_date: "1990-05-17".parse().unwrap(),
        vehicle: short_hash(b"EK12345"),
        name: "Kari Nordmann".into(),
    }
}

fn text() -> String {
    sign(&payload(), &key()).unwrap()
}

#[test]
fn a_good_code_says_what_was_signed_and_is_small() {
    assert_eq!(judge(&text(), &[public()]), Ok(payload()));
    let longest = Payload {
        name: "Ø".repeat(100),
        ..payload()
    };
    let text = sign(&longest, &key()).unwrap();
    assert_eq!(text.len(), 220, "{text}");
    let symbol = qrcode::QrCode::with_error_correction_level(&text, qrcode::EcLevel::M).unwrap();
    assert_eq!(symbol.version(), qrcode::Version::Normal(8));
    let name = judge(&text, &[public()]).unwrap().name;
    assert_eq!(name, "Ø".repeat(20) + "…");
}

#[test]
fn one_license_has_one_text_under_one_key() {
    assert_eq!(text(), text());
    let other = SigningKey::from_seed(4, &[8; 32]).unwrap();
    assert_ne!(text(), sign(&payload(), &other).unwrap());
}

#[test]
fn everything_else_is_refused_for_its_reason() {
    let good = text();
    let bytes = base45::decode(&good[4..]).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        PREFIX.to_owned() + &base45::encode(bytes)
    };
    for (text, refusal) in [
        (good.replace("BL1:", "BL2:"), Refusal::WrongPrefix),
        (good[4..].to_owned(), Refusal::WrongPrefix),
        (String::new(), Refusal::WrongPrefix),
        ("BL1:".into(), Refusal::Malformed),
        (PREFIX.to_owned() + &"0".repeat(397), Refusal::TooLong),
        ("æ".repeat(401), Refusal::TooLong),
        (good.to_lowercase().replace("bl1:", "BL1:"), Refusal::Malformed),
        (good[..good.len() - 3].to_owned(), Refusal::Malformed),
        (changed(&|bytes| bytes.push(0)), Refusal::Malformed),
        (changed(&|bytes| bytes[29] = 0), Refusal::Malformed),
        (changed(&|bytes| bytes[36] += 1), Refusal::Malformed),
        (changed(&|bytes| bytes[37] = 0xff), Refusal::Malformed),
        (changed(&|bytes| bytes.truncate(1)), Refusal::Malformed),
        (changed(&|bytes| bytes[0] = 2), Refusal::UnknownVersion),
        (changed(&|bytes| bytes[2] = 9), Refusal::UnknownKey),
        (changed(&|bytes| bytes[28] ^= 1), Refusal::BadSignature),
        (changed(&|bytes| bytes[40] = b'A'), Refusal::BadSignature),
        (
            changed(&|bytes| *bytes.last_mut().unwrap() ^= 1),
            Refusal::BadSignature,
        ),
    ] {
        assert_eq!(judge(&text, &[public()]), Err(refusal), "{text}");
    }
}

#[test]
fn a_key_counts_on_the_days_that_it_is_valid() {
    let judged = |first: &str, days: u8| {
        let payload = Payload {
            first_day: first.parse().unwrap(),
            days,
            ..payload()
        };
        judge(&sign(&payload, &key()).unwrap(), &[public()]).map(|_| ())
    };
    assert_eq!(judged("2025-12-31", 1), Err(Refusal::KeyNotValid));
    assert_eq!(judged("2025-12-31", 2), Ok(()));
    assert_eq!(judged("2028-12-31", 3), Ok(()));
    assert_eq!(judged("2029-01-01", 1), Err(Refusal::KeyNotValid));
}

#[test]
fn a_date_that_two_bytes_do_not_hold_is_not_signed() {
    for (first, birth) in [("2150-01-01", "1990-01-01"), ("2026-01-01", "1899-12-31")] {
        let payload = Payload {
            first_day: first.parse().unwrap(),
            birth_date: birth.parse().unwrap(),
            ..payload()
        };
        assert_eq!(sign(&payload, &key()), None);
    }
}

proptest! {
    #[test]
    fn what_is_signed_is_read_back(
        id: u128, kind: [u8; 4], club: [u8; 4], vehicle: [u8; 4], first in 0_u16.., days in 1_u8..=31, birth in 0_u16..,
        name in "\\PC{0,60}",
    ) {
        let day = |since: &str, days: u16| {
            since.parse::<chrono::NaiveDate>().unwrap() + chrono::Days::new(days.into())
        };
        let payload = Payload {
            key_id: 3,
            license_id: Uuid::from_u128(id),
            license_type: kind,
            club,
            first_day: day("1970-01-01", first),
            days,
            birth_date: day("1900-01-01", birth),
            vehicle,
            name,
        };
        let text = sign(&payload, &key()).unwrap();
        prop_assert!(text.len() <= 220);
        let code = read(&text).unwrap();
        let begins = code.payload.name.trim_end_matches('…');
        prop_assert!(payload.name.starts_with(begins));
        prop_assert!(code.payload.name == payload.name || payload.name.len() > 43);
        prop_assert_eq!(Payload { name: payload.name.clone(), ..code.payload }, payload);
        prop_assert!(public().signed(&code.signed, &code.signature));
    }

    #[test]
    fn no_text_panics(text in "(BL1:)?\\PC{0,420}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = judge(&text, &[public()]);
        let _ = judge(&(PREFIX.to_owned() + &base45::encode(&bytes)), &[public()]);
        let with_version = [&[1], &bytes[..]].concat();
        prop_assert!(judge(&(PREFIX.to_owned() + &base45::encode(with_version)), &[public()]).is_err());
    }
}
