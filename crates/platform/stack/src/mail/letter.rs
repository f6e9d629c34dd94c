//! What a letter says: its headers, text and attachments, decoded.

use chrono::{DateTime, Utc};
use mail_parser::{MessageParser, MessagePart, MimeHeaders as _};
use serde::{Deserialize, Serialize};

/// Who sent a letter to whom, and what a list shows of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) at: DateTime<Utc>,
    /// Empty for a bounce.
    pub(super) from: String,
    pub(super) to: Vec<String>,
    pub(super) subject: String,
    pub(super) message_id: Option<String>,
}

impl Envelope {
    /// The subject is the letter's and is set when it is kept.
    pub(super) fn new(from: String, to: Vec<String>) -> Self {
        Self {
            at: Utc::now(),
            from,
            to,
            subject: String::new(),
            message_id: None,
        }
    }
}

/// A letter as `GET /messages` shows it.
#[derive(Debug, Serialize)]
pub(super) struct Letter {
    pub(super) n: u64,
    #[serde(flatten)]
    pub(super) envelope: Envelope,
    /// All of them in their order, encoded as they came.
    pub(super) headers: Vec<Header>,
    pub(super) text: String,
    pub(super) attachments: Vec<Attachment>,
}

#[derive(Debug, Serialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Attachment {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) content_type: String,
    pub(super) bytes: usize,
    /// Where its content is, on this server.
    pub(super) url: String,
}

/// The subject, and the id in `Message-ID` without its brackets.
pub(super) fn heading(letter: &[u8]) -> (String, Option<String>) {
    let Some(message) = MessageParser::new().parse_headers(letter) else {
        return (String::new(), None);
    };
    let subject = message.subject().unwrap_or_default().to_owned();
    (subject, message.message_id().map(str::to_owned))
}

impl Letter {
    pub(super) fn parse(n: u64, envelope: Envelope, letter: &[u8]) -> Self {
        let Some(message) = MessageParser::new().parse(letter) else {
            // It has no headers.
            return Self {
                n,
                envelope,
                headers: Vec::new(),
                text: String::from_utf8_lossy(letter).into_owned(),
                attachments: Vec::new(),
            };
        };
        let header = |(name, value): (&str, &str)| Header {
            name: name.to_owned(),
            value: value.trim().to_owned(),
        };
        let texts: Vec<_> = (0..message.text_body_count())
            .filter_map(|at| message.body_text(at))
            .collect();
        Self {
            n,
            envelope,
            headers: message.headers_raw().map(header).collect(),
            text: texts.join("\n"),
            attachments: (1..)
                .zip(message.attachments())
                .map(|(i, part)| Attachment {
                    name: part.attachment_name().unwrap_or("unnamed").to_owned(),
                    content_type: content_type(part),
                    bytes: part.contents().len(),
                    url: format!("/messages/{n}/attachments/{i}"),
                })
                .collect(),
        }
    }
}

/// The name, type and content of an attachment; the first is 1.
pub(super) fn attachment(letter: &[u8], i: u32) -> Option<(String, String, Vec<u8>)> {
    let message = MessageParser::new().parse(letter)?;
    let part = message.attachment(i.checked_sub(1)?)?;
    let name = part.attachment_name().unwrap_or("unnamed").to_owned();
    Some((name, content_type(part), part.contents().to_vec()))
}

fn content_type(part: &MessagePart<'_>) -> String {
    let of = part.content_type();
    let parts = of.and_then(|of| Some((of.ctype(), of.subtype()?)));
    parts.map_or_else(
        || "application/octet-stream".to_owned(),
        |(major, minor)| format!("{major}/{minor}"),
    )
}
