//! The documents of a letter: the same as those that query-api makes of the rows.

use std::path::Path;

use chrono::{NaiveDate, Utc};
use documents::keys::{BadKeys, KeyRing};
use documents::qr::{Payload, short_hash};
use documents::receipt::{self, Kind, Line, Receipt};
use documents::{DocumentError, Language, license};
use events::{LicenseIssued, ReceiptIssued, ReceiptLine, Vehicle};
use service::seller::Seller;
use uuid::Uuid;
use vocabulary::ReceiptKind;

/// The most bytes of one letter's documents. In base 64 they are 8 MB, which mail servers take.
const MOST_BYTES: usize = 6 * 1024 * 1024;

/// What a letter brings.
pub(crate) enum Content {
    /// The licenses of an order.
    Licenses {
        /// Those that are not revoked, with their ids.
        licenses: Vec<(Uuid, LicenseIssued)>,
        /// The day in Norway on which they were issued.
        issued_on: NaiveDate,
        /// The language of the documents.
        language: Language,
    },
    /// A receipt or a credit note.
    Receipt {
        /// The document.
        receipt: Box<ReceiptIssued>,
        /// Its language.
        language: Language,
    },
}

/// An attachment.
pub(crate) struct Document {
    /// Name of its file, in ASCII.
    pub(crate) file: String,
    pub(crate) bytes: Vec<u8>,
}

/// Why the documents could not be made. Holds no personal data.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotMade {
    #[error("the license keys: {0}")]
    Keys(#[from] BadKeys),
    #[error("no license key is for the days of line {0}")]
    NoKey(u16),
    #[error("a document: {0}")]
    Document(#[from] DocumentError),
    #[error("making the documents was interrupted")]
    Interrupted,
}

/// Makes as many as a letter takes, in their order.
pub(super) fn make(content: &Content, keys: &Path, seller: &Seller) -> Result<Vec<Document>, NotMade> {
    match content {
        Content::Licenses {
            licenses,
            issued_on,
            language,
        } => {
            let ring = KeyRing::read(keys)?;
            let (mut made, mut bytes) = (Vec::with_capacity(licenses.len()), 0);
            for (id, issued) in licenses {
                let document = license_pdf(&ring, *id, issued, *issued_on, *language)?;
                bytes += document.bytes.len();
                if bytes > MOST_BYTES {
                    break;
                }
                made.push(document);
            }
            Ok(made)
        }
        Content::Receipt { receipt, language } => Ok(vec![receipt_pdf(receipt, seller, *language)?]),
    }
}

fn license_pdf(
    ring: &KeyRing,
    id: Uuid,
    issued: &LicenseIssued,
    issued_on: NaiveDate,
    language: Language,
) -> Result<Document, NotMade> {
    let vehicle = issued.vehicle.as_ref().and_then(vehicle_number);
    let holder = (issued.holder.name.expose(), *issued.holder.birth_date.expose());
    let payload = Payload {
        key_id: 0,
        license_id: id,
        license_type: short_hash(issued.license_type.code.as_bytes()),
        club: short_hash(issued.club_id.as_bytes()),
        first_day: issued.activity_date,
        days: issued.activity_days,
        birth_date: holder.1,
        vehicle: vehicle.map_or([0; 4], |number| short_hash(number.as_bytes())),
        name: holder.0.clone(),
    };
    let code = ring
        .code(Utc::now(), &payload)
        .ok_or(NotMade::NoKey(issued.line))?;
    let number = format!("{}-{}", issued.order_number, issued.line);
    let license = license::License {
        number: &number,
        license_id: id,
        type_name: language.of(&issued.license_type.name_nb, &issued.license_type.name_en),
        club: &issued.club_name,
        first_day: issued.activity_date,
        days: issued.activity_days,
        holder: holder.0,
        birth_date: holder.1,
        vehicle,
        issued_on,
        code: &code,
    };
    Ok(Document {
        file: format!("{}-{number}.pdf", language.of("lisens", "license")),
        bytes: license::pdf(&license, language)?,
    })
}

/// The number that the vehicle is compared by: that of its plate, else of its license, else of its chassis.
fn vehicle_number(vehicle: &Vehicle) -> Option<&str> {
    [&vehicle.registration, &vehicle.vehicle_license, &vehicle.chassis]
        .into_iter()
        .find_map(Option::as_ref)
        .map(|number| number.expose().as_str())
}

fn receipt_pdf(issued: &ReceiptIssued, seller: &Seller, language: Language) -> Result<Document, NotMade> {
    let place = |line: &ReceiptLine| {
        receipt::place_and_days(&line.club_name, line.activity_date, line.activity_days, language)
    };
    let details: Vec<String> = issued.lines.iter().map(place).collect();
    let lines = issued.lines.iter().zip(&details).map(|(line, detail)| Line {
        text: language.of(&line.name_nb, &line.name_en),
        detail,
        price_ore: line.gross_ore,
        tax_code: receipt::tax_code(&line.tax_code, language),
        tax_rate: u32::from(line.tax_rate_permille) * 10,
        tax_ore: line.tax_ore,
    });
    let document = Receipt {
        kind: issued
            .corrects
            .as_deref()
            .map_or(Kind::Receipt, |of| Kind::CreditNote { of }),
        number: &issued.receipt_number,
        order_number: &issued.order_number,
        issued_on: issued.happened_on,
        paid_by: receipt::paid_by(&issued.provider),
        seller: receipt::Seller {
            name: &seller.name,
            organization_number: &seller.organization_number,
            registered_for_tax: seller.registered_for_tax,
            address: &seller.address,
        },
        lines: lines.collect(),
    };
    let name = match issued.kind {
        ReceiptKind::Receipt => language.of("kvittering", "receipt"),
        ReceiptKind::CreditNote => language.of("kreditnota", "credit-note"),
    };
    Ok(Document {
        file: format!("{name}-{}.pdf", issued.receipt_number),
        bytes: receipt::pdf(&document, language)?,
    })
}
