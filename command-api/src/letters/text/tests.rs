use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use documents::Language;
use domain::Letter;
use envelope::Personal;
use events::{Category, Holder, LicenseIssued, LicenseTypeFacts, ReceiptIssued, Role};
use lettre::Address;
use service::seller::Seller;
use tokio::sync::Semaphore;
use uuid::Uuid;
use vocabulary::{LetterKind, ReceiptKind};

use super::super::documents::make;
use super::{Content, Document, Post, address, message, written};
use crate::letters::MailServer;

const ORDER: &str = "BL-7K2QM-4XN9D";
const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 6, 5).unwrap();

fn post(from: &str) -> Post {
    Post {
        server: MailServer::at("smtp://127.0.0.1:2525", None, "bilsportlisens.no").unwrap(),
        from: from.parse().unwrap(),
        domain: "bilsportlisens.no".into(),
        keys: PathBuf::new().into(),
        seller: Arc::new(seller()),
        turns: Arc::new(Semaphore::new(1)),
    }
}

fn seller() -> Seller {
    Seller {
        name: "Norges Bilsportforbund".into(),
        organization_number: "123 456 785".into(),
        registered_for_tax: false,
        address: String::new(),
    }
}

fn letter(kind: LetterKind) -> Letter {
    Letter {
        order_id: Uuid::from_u128(1),
        order_number: ORDER.into(),
        kind,
        receipt_number: (kind == LetterKind::Receipt).then(|| "2026-000042".into()),
    }
}

fn license(line: u16, holder: &str) -> (Uuid, LicenseIssued) {
    let issued = LicenseIssued {
        order_id: Uuid::from_u128(1),
        order_number: ORDER.into(),
        line,
        customer_id: Uuid::nil(),
        license_type: LicenseTypeFacts {
            code: "konkurranse-bilcross".into(),
            category: Category::Competition,
            discipline: "bilcross".into(),
            role: Role::Driver,
            name_nb: "Konkurranse bilcross".into(),
            name_en: "Autocross competition".into(),
        },
        club_id: Uuid::nil(),
        club_name: "NMK Ærø".into(),
        activity_date: DAY,
        activity_days: 1,
        lifetime_cap: None,
        holder_id: None,
        holder: Holder {
            name: Personal::new(holder.into()),
            birth_date: Personal::new(NaiveDate::from_ymd_opt(1990, 5, 17).unwrap()),
            phone: None,
            email: None,
            guardian: None,
        },
        vehicle: None,
        price_ore: 42_000,
    };
    (Uuid::from_u128(line.into()), issued)
}

fn licenses(count: u16, holder: &str) -> Content {
    Content::Licenses {
        licenses: (1..=count).map(|line| license(line, holder)).collect(),
        issued_on: DAY,
        language: Language::Nb,
    }
}

fn receipt(kind: ReceiptKind) -> Content {
    let receipt = ReceiptIssued {
        receipt_id: Uuid::nil(),
        year: 2026,
        number: 42,
        receipt_number: "2026-000042".into(),
        kind,
        corrects: (kind == ReceiptKind::CreditNote).then(|| "2026-000041".into()),
        order_id: Uuid::from_u128(1),
        order_number: ORDER.into(),
        customer_id: Uuid::nil(),
        provider: "vipps".into(),
        payment_reference: String::new(),
        cause: 1,
        happened_at: DateTime::<Utc>::UNIX_EPOCH,
        happened_on: DAY,
        lines: Vec::new(),
        gross_ore: 0,
        tax_ore: 0,
        currency: "NOK".into(),
    };
    Content::Receipt {
        receipt: Box::new(receipt),
        language: Language::Nb,
    }
}

fn pdf(name: &str) -> Document {
    Document {
        file: name.into(),
        bytes: b"%PDF-1.7 \xff\x00".to_vec(),
    }
}

fn headers(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.is_ascii(), "a server without 8BITMIME takes it: {text}");
    text.split_once("\r\n\r\n").unwrap().0.to_owned()
}

#[test]
fn a_message_is_recognized_and_says_nothing_personal_in_its_headers() {
    let to: Address = "kari@example.no".parse().unwrap();
    let post = post("Bilsportlisens Sør-Øst <ikke-svar@bilsportlisens.no>");
    let letter = letter(LetterKind::License);
    let content = || {
        (
            licenses(1, "Kari Nordmann\r\nBcc: eve@example.no"),
            vec![pdf("lisens.pdf")],
        )
    };
    let sent = message(&post, &letter, &to, content()).unwrap();
    let headers = headers(&sent.bytes);
    assert_eq!(sent.message_id, format!("<{}@bilsportlisens.no>", letter.id()));
    for line in [
        &format!("Message-ID: {}", sent.message_id),
        "To: kari@example.no",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(
            headers.lines().any(|found| found == line),
            "no {line} in {headers}"
        );
    }
    assert!(
        headers.contains("\nDate: ") && headers.contains("BL-7K2QM-4XN9D"),
        "{headers}"
    );
    for wrong in ["Kari Nordmann", "\nBcc", "eve@", "Sør"] {
        assert!(!headers.contains(wrong), "{wrong} in {headers}");
    }
    assert_eq!(sent.documents, 1);
    let again = message(&post, &letter, &to, content()).unwrap();
    assert_eq!(
        again.message_id, sent.message_id,
        "a doubled letter is recognized"
    );
}

#[test]
fn a_letter_is_norwegian_first_and_has_no_link() {
    let seller = "Norges Bilsportforbund";
    let (subject, text) = written(
        &letter(LetterKind::License),
        &licenses(2, "Kari Nordmann"),
        2,
        seller,
    );
    assert_eq!(
        subject,
        "Lisenser for bestilling BL-7K2QM-4XN9D / Licenses of order BL-7K2QM-4XN9D"
    );
    let nb = text.find("- Konkurranse bilcross, NMK Ærø, fredag 5. juni 2026: Kari Nordmann");
    let en = text.find("- Autocross competition, NMK Ærø, Friday 5 June 2026: Kari Nordmann");
    assert!(nb.is_some() && nb < en, "{text}");
    assert!(!text.contains("fikk ikke plass"), "{text}");
    for (kind, nb, en) in [
        (
            ReceiptKind::Receipt,
            "Kvittering 2026-000042",
            "Receipt 2026-000042",
        ),
        (
            ReceiptKind::CreditNote,
            "Kreditnota 2026-000042",
            "Credit note 2026-000042",
        ),
    ] {
        let (subject, text) = written(&letter(LetterKind::Receipt), &receipt(kind), 1, seller);
        assert!(subject.starts_with(nb) && subject.contains(en), "{subject}");
        assert!(subject.contains(ORDER), "{subject}");
        assert!(!text.contains("http") && !text.contains("www"), "{text}");
    }
}

#[test]
fn a_letter_says_what_did_not_fit() {
    let (_, text) = written(&letter(LetterKind::License), &licenses(3, "Kari"), 1, "NBF");
    assert!(text.contains("2 av lisensene fikk ikke plass"), "{text}");
    assert!(text.contains("2 of the licenses did not fit"), "{text}");
}

#[test]
fn an_address_is_written_as_every_server_takes_it() {
    assert_eq!(
        address("kari@blåbær.no").unwrap().to_string(),
        "kari@xn--blbr-roah.no"
    );
    assert_eq!(
        address("o'hara+x@example.no").unwrap().to_string(),
        "o'hara+x@example.no"
    );
    for wrong in [
        "kåre@example.no",
        "kari",
        "kari@example.no>\r\nRCPT TO:<eve@example.no",
        "kari\r\n@example.no",
        "",
    ] {
        assert!(address(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn documents_are_pdfs_and_a_missing_key_makes_none() {
    let file = std::env::temp_dir().join(format!("license-keys-{}.json", Uuid::now_v7()));
    let keys = |from: &str| {
        let seed = documents::keys::encode(&[7; 32]);
        let key = format!(
            r#"{{"keys": [{{"kid": 1, "seed": "{seed}", "not_before": "{from}", "not_after": "2099-01-01T00:00:00Z"}}]}}"#
        );
        std::fs::write(&file, key).unwrap();
    };
    keys("2020-01-01T00:00:00Z");
    let made = make(&licenses(2, "Kari Nordmann"), &file, &seller()).unwrap();
    let names: Vec<_> = made.iter().map(|document| document.file.as_str()).collect();
    assert_eq!(
        names,
        ["lisens-BL-7K2QM-4XN9D-1.pdf", "lisens-BL-7K2QM-4XN9D-2.pdf"]
    );
    let note = make(&receipt(ReceiptKind::CreditNote), &file, &seller()).unwrap();
    assert_eq!(note[0].file, "kreditnota-2026-000042.pdf");
    for document in made.iter().chain(&note) {
        assert!(document.bytes.starts_with(b"%PDF-"), "{}", document.file);
    }
    // The letter waits for a key rather than going without a license.
    keys("2098-01-01T00:00:00Z");
    assert!(make(&licenses(1, "Kari Nordmann"), &file, &seller()).is_err());
    std::fs::remove_file(&file).unwrap();
}
