//! What a letter says: Norwegian first, English below, without links. The headers name nothing personal but the address.

use std::fmt::Write as _;
use std::time::SystemTime;

use documents::Language;
use domain::Letter;
use events::LicenseIssued;
use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use uuid::Uuid;
use vocabulary::ReceiptKind;

use super::{Content, Document, Post};

/// A whole message.
pub(crate) struct Wrapped {
    /// Its `Message-ID`, the same for a letter that is sent twice.
    pub(crate) message_id: String,
    /// How many documents are attached.
    pub(crate) documents: u16,
    pub(crate) bytes: Vec<u8>,
}

/// The address as mail servers write it: the domain in ASCII. A name before the `@` that is not in ASCII has no form that
/// every server takes.
pub(crate) fn address(stored: &str) -> Result<Address, AddressError> {
    let (name, domain) = stored.rsplit_once('@').ok_or(AddressError::MissingParts)?;
    if !name.is_ascii() {
        return Err(AddressError::InvalidUser);
    }
    let domain = idna::domain_to_ascii(domain).map_err(|_| AddressError::InvalidDomain)?;
    Address::new(name, domain)
}

/// The message of a letter.
pub(crate) fn message(
    post: &Post,
    letter: &Letter,
    to: &Address,
    (content, documents): (Content, Vec<Document>),
) -> Result<Wrapped, lettre::error::Error> {
    let message_id = format!("<{}@{}>", letter.id(), post.domain);
    let attached = u16::try_from(documents.len()).unwrap_or(u16::MAX);
    let (subject, text) = written(letter, &content, documents.len(), post.seller());
    let mut parts = MultiPart::mixed().singlepart(SinglePart::plain(text));
    let pdf = || ContentType::parse("application/pdf").unwrap_or(ContentType::TEXT_PLAIN);
    for document in documents {
        parts = parts.singlepart(Attachment::new(document.file).body(document.bytes, pdf()));
    }
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let message = Message::builder()
        .from(post.from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(subject)
        .date(SystemTime::now())
        .message_id(Some(message_id.clone()))
        .raw_header(HeaderValue::new(automatic, "auto-generated".into()))
        .multipart(parts)?;
    Ok(Wrapped {
        message_id,
        documents: attached,
        bytes: message.formatted(),
    })
}

/// Subject and text.
fn written(letter: &Letter, content: &Content, attached: usize, seller: &str) -> (String, String) {
    let order = &letter.order_number;
    let (subject, [nb, en]) = match content {
        Content::Licenses { licenses, .. } => (
            format!("Lisenser for bestilling {order} / Licenses of order {order}"),
            [Language::Nb, Language::En].map(|language| about_licenses(order, licenses, attached, language)),
        ),
        Content::Receipt { receipt, .. } => {
            let number = &receipt.receipt_number;
            let (nb, en) = names(receipt.kind);
            (
                format!("{nb} {number}, bestilling {order} / {en} {number}, order {order}"),
                [
                    format!(
                        "Vedlagt er {} {number} for bestilling {order}.\n",
                        nb.to_lowercase()
                    ),
                    format!(
                        "The {} {number} of order {order} is attached.\n",
                        en.to_lowercase()
                    ),
                ],
            )
        }
    };
    let text = format!(
        "Hei,\n\n{nb}\nDu kan ikke svare på denne e-posten.\n\nVennlig hilsen\n{seller}\n\n\
         ----------------------------------------\n\n\
         Hello,\n\n{en}\nYou can't answer this e-mail.\n\nKind regards\n{seller}\n",
    );
    (subject, text)
}

fn names(kind: ReceiptKind) -> (&'static str, &'static str) {
    match kind {
        ReceiptKind::Receipt => ("Kvittering", "Receipt"),
        ReceiptKind::CreditNote => ("Kreditnota", "Credit note"),
    }
}

fn about_licenses(
    order: &str,
    licenses: &[(Uuid, LicenseIssued)],
    attached: usize,
    language: Language,
) -> String {
    let mut text = match language {
        Language::Nb => format!("Vedlagt er lisensene for bestilling {order}:\n\n"),
        Language::En => format!("The licenses of order {order} are attached:\n\n"),
    };
    for (_, license) in licenses {
        let kind = &license.license_type;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "- {}, {}, {}: {}",
            language.of(&kind.name_nb, &kind.name_en),
            license.club_name,
            language.days(license.activity_date, license.activity_days),
            license.holder.name.expose(),
        );
    }
    text.push_str(language.of(
        "\nVis lisensen på telefonen eller på papir i porten. Porten leser QR-koden også uten nett.\n",
        "\nShow the license on your phone or on paper at the gate. The gate reads the QR code offline, too.\n",
    ));
    if attached < licenses.len() {
        let missing = licenses.len() - attached;
        let _ = match language {
            Language::Nb => writeln!(
                text,
                "\n{missing} av lisensene fikk ikke plass her. Hent dem i nettbutikken der du bestilte."
            ),
            Language::En => writeln!(
                text,
                "\n{missing} of the licenses did not fit in here. Fetch them in the shop where you ordered."
            ),
        };
    }
    text
}

#[cfg(test)]
mod tests;
