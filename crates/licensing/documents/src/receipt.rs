//! Receipts and credit notes: A4, with a tax summary, on as many pages as the lines need.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use chrono::NaiveDate;
use krilla::tagging::{TableHeaderScope, Tag};

use crate::sheet::{About, Ink, Mark, Part, area, render};
use crate::typeface::Weight;
use crate::{DocumentError, Language};

/// Who sells.
#[derive(Clone, Debug)]
pub struct Seller<'a> {
    /// Name.
    pub name: &'a str,
    /// Number in the Norwegian register of enterprises, nine digits.
    pub organization_number: &'a str,
    /// Whether the seller is registered for value added tax, which the number then says with `MVA`.
    pub registered_for_tax: bool,
    /// Postal address, on one line; may be empty.
    pub address: &'a str,
}

/// Which kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Of a sale.
    Receipt,
    /// Takes back a receipt, or a part of it.
    CreditNote {
        /// Number of that receipt.
        of: &'a str,
    },
}

/// What was sold, or taken back. Amounts of a credit note are positive, as in its receipt.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// What, in the language of the document.
    pub text: &'a str,
    /// What more there is to say, such as club and day; may be empty.
    pub detail: &'a str,
    /// Price in øre, tax included.
    pub price_ore: i64,
    /// Tax code (SAF-T), for example `3` or `5`.
    pub tax_code: &'a str,
    /// Rate in hundredths of a percent: 2500 is 25 %.
    pub tax_rate: u32,
    /// The tax in the price, in øre.
    pub tax_ore: i64,
}

/// A receipt or a credit note.
#[derive(Clone, Debug)]
pub struct Receipt<'a> {
    /// Which of the two.
    pub kind: Kind<'a>,
    /// Its number, in an unbroken series.
    pub number: &'a str,
    /// Number of the order.
    pub order_number: &'a str,
    /// Day of the sale, in Norway.
    pub issued_on: NaiveDate,
    /// How it was paid or paid back, for example `Vipps`; may be empty.
    pub paid_by: &'a str,
    /// Who sells.
    pub seller: Seller<'a>,
    /// What was sold, at least one line.
    pub lines: Vec<Line<'a>>,
}

/// Where and when a line is for: `NMK Testby, 5.–7. juni 2026`.
pub fn place_and_days(club: &str, first_day: NaiveDate, days: u8, language: Language) -> String {
    format!("{club}, {}", language.days(first_day, days))
}

/// The tax code in words where it is a word.
pub fn tax_code(code: &str, language: Language) -> &str {
    match code {
        "exempt" => language.of("unntatt", "exempt"),
        code => code,
    }
}

/// A payment provider by the name that customers know.
pub fn paid_by(provider: &str) -> &str {
    match provider {
        "vipps" => "Vipps",
        "nexi" => "Nexi",
        name => name,
    }
}

/// A4 in points.
const SIZE: (f32, f32) = (595.28, 841.89);
const MARGIN: f32 = 52.0;
const RIGHT: f32 = SIZE.0 - MARGIN;
/// Right edges of the columns for code, rate and price.
const CODE: f32 = RIGHT - 160.0;
const RATE: f32 = RIGHT - 96.0;
const TEXT_WIDTH: f32 = CODE - 40.0 - MARGIN;
const LINE_HEIGHT: f32 = 32.0;
/// Lines of the first page, which has the head, and of the others. The last page has room for the sums in any case.
const FIRST_PAGE: usize = 13;
const LATER_PAGE: usize = 17;

/// The PDF.
pub fn pdf(receipt: &Receipt<'_>, language: Language) -> Result<Vec<u8>, DocumentError> {
    let title = format!("{} {}", name(receipt, language), receipt.number);
    let about = About {
        title: title.clone(),
        language,
        author: receipt.seller.name,
        made_on: receipt.issued_on,
        size: SIZE,
    };
    let first = FIRST_PAGE.min(receipt.lines.len());
    let (on_first, later) = receipt.lines.split_at(first);
    let chunks: Vec<&[Line<'_>]> = std::iter::once(on_first)
        .chain(later.chunks(LATER_PAGE))
        .collect();
    let mut pages = Vec::with_capacity(chunks.len());
    for (index, lines) in chunks.iter().enumerate() {
        let mut parts = Vec::new();
        let mut y = MARGIN + 20.0;
        if index == 0 {
            y = head(receipt, language, &title, &mut parts);
        }
        y = table(lines, language, y, &mut parts)?;
        if index + 1 == chunks.len() {
            sums(receipt, language, y, &mut parts)?;
        }
        let page = format!("{title} · {} / {}", index + 1, chunks.len());
        let page = Weight::Regular.line(&page, 8.0);
        parts.push(Part::Decoration(vec![Mark::Text(
            page,
            MARGIN,
            SIZE.1 - 32.0,
            Ink::Grey,
        )]));
        pages.push(parts);
    }
    render(&about, pages)
}

fn name(receipt: &Receipt<'_>, language: Language) -> &'static str {
    match receipt.kind {
        Kind::Receipt => language.of("Kvittering", "Receipt"),
        Kind::CreditNote { .. } => language.of("Kreditnota", "Credit note"),
    }
}

fn head(receipt: &Receipt<'_>, language: Language, title: &str, parts: &mut Vec<Part>) -> f32 {
    let seller = &receipt.seller;
    let tax = if seller.registered_for_tax { " MVA" } else { "" };
    let number = language.of("Org.nr.", "Org. no.");
    let number = format!("{number} {}{tax}", seller.organization_number);
    let mut y = MARGIN + 12.0;
    let mut marks = Vec::new();
    for (text, weight) in [
        (seller.name, Weight::Bold),
        (number.as_str(), Weight::Regular),
        (seller.address, Weight::Regular),
    ] {
        if !text.is_empty() {
            for line in weight.fitted(text, 10.5, RIGHT - MARGIN, 1) {
                marks.push(Mark::Text(line, MARGIN, y, Ink::Black));
            }
            y += 15.0;
        }
    }
    parts.push(Part::group(Tag::P, marks));
    y += 34.0;
    let heading = Weight::Bold.fitted(title, 22.0, RIGHT - MARGIN, 1);
    let heading = heading
        .into_iter()
        .map(|line| Mark::Text(line, MARGIN, y, Ink::Navy));
    parts.push(Part::group(
        Tag::Hn(NonZeroU16::MIN, Some(title.to_owned())),
        heading.collect(),
    ));
    y += 22.0;
    let mut facts = vec![
        format!(
            "{} {}",
            language.of("Dato:", "Date:"),
            language.day(receipt.issued_on)
        ),
        format!(
            "{} {}",
            language.of("Bestilling:", "Order:"),
            receipt.order_number
        ),
    ];
    if let Kind::CreditNote { of } = receipt.kind {
        facts.push(format!(
            "{} {of}",
            language.of("Gjelder kvittering:", "For receipt:")
        ));
    }
    if !receipt.paid_by.is_empty() {
        let paid = match receipt.kind {
            Kind::Receipt => language.of("Betalt med:", "Paid by:"),
            Kind::CreditNote { .. } => language.of("Tilbakebetalt med:", "Paid back by:"),
        };
        facts.push(format!("{paid} {}", receipt.paid_by));
    }
    for fact in facts {
        let line = Weight::Regular.line(&fact, 10.5);
        parts.push(Part::group(Tag::P, vec![Mark::Text(line, MARGIN, y, Ink::Black)]));
        y += 15.0;
    }
    y + 18.0
}

/// Sets text that ends at `right`.
fn ending_at(right: f32, text: &str, weight: Weight, size: f32, y: f32, ink: Ink) -> Vec<Mark> {
    let line = weight.line(text, size);
    let left = right - line.width;
    vec![Mark::Text(line, left, y, ink)]
}

fn table(
    lines: &[Line<'_>],
    language: Language,
    top: f32,
    parts: &mut Vec<Part>,
) -> Result<f32, DocumentError> {
    let header = |text: &'static str, right: Option<f32>| {
        let marks = match right {
            Some(right) => ending_at(right, text, Weight::Bold, 9.0, top, Ink::Grey),
            None => vec![Mark::Text(Weight::Bold.line(text, 9.0), MARGIN, top, Ink::Grey)],
        };
        Part::group(Tag::TH(TableHeaderScope::Column), marks)
    };
    let header = Part::Group(
        Tag::TR.into(),
        vec![
            header(language.of("Beskrivelse", "Description"), None),
            header(language.of("Avgiftskode", "Tax code"), Some(CODE)),
            header(language.of("Sats", "Rate"), Some(RATE)),
            header(language.of("Beløp (kr)", "Amount (NOK)"), Some(RIGHT)),
        ],
    );
    let mut rules = vec![area(MARGIN, top + 6.0, RIGHT - MARGIN, 0.8, Ink::Navy)?];
    let (mut y, mut rows) = (top + 24.0, Vec::new());
    for line in lines {
        let mut what = Vec::new();
        for text in Weight::Regular.fitted(line.text, 10.5, TEXT_WIDTH, 1) {
            what.push(Mark::Text(text, MARGIN, y, Ink::Black));
        }
        if !line.detail.is_empty() {
            for text in Weight::Regular.fitted(line.detail, 8.5, TEXT_WIDTH, 1) {
                what.push(Mark::Text(text, MARGIN, y + 11.5, Ink::Grey));
            }
        }
        let cell = |right: f32, text: &str| {
            Part::group(
                Tag::TD,
                ending_at(right, text, Weight::Regular, 10.5, y, Ink::Black),
            )
        };
        rows.push(Part::Group(
            Tag::TR.into(),
            vec![
                Part::group(Tag::TD, what),
                cell(CODE, line.tax_code),
                cell(RATE, &language.rate(line.tax_rate)),
                cell(RIGHT, &language.amount(line.price_ore)),
            ],
        ));
        y += LINE_HEIGHT;
        rules.push(area(MARGIN, y - 15.0, RIGHT - MARGIN, 0.5, Ink::Hairline)?);
    }
    parts.push(Part::Decoration(rules));
    parts.push(Part::Group(
        Tag::Table.into(),
        vec![
            Part::Group(Tag::THead.into(), vec![header]),
            Part::Group(Tag::TBody.into(), rows),
        ],
    ));
    Ok(y)
}

fn sums(
    receipt: &Receipt<'_>,
    language: Language,
    top: f32,
    parts: &mut Vec<Part>,
) -> Result<(), DocumentError> {
    let total: i64 = receipt.lines.iter().map(|line| line.price_ore).sum();
    let mut by_tax: BTreeMap<(&str, u32), (i64, i64)> = BTreeMap::new();
    for line in &receipt.lines {
        let sum = by_tax.entry((line.tax_code, line.tax_rate)).or_default();
        *sum = (sum.0 + line.price_ore, sum.1 + line.tax_ore);
    }
    let label = match receipt.kind {
        Kind::Receipt => language.of("Sum", "Total"),
        Kind::CreditNote { .. } => language.of("Sum kreditert", "Total credited"),
    };
    let currency = match language {
        Language::Nb => format!("{}\u{a0}kr", language.amount(total)),
        Language::En => format!("NOK\u{a0}{}", language.amount(total)),
    };
    let mut y = top + 8.0;
    let text = Weight::Bold.line(&format!("{label} {currency}"), 14.0);
    let left = RIGHT - text.width;
    parts.push(Part::group(Tag::P, vec![Mark::Text(text, left, y, Ink::Black)]));
    y += 30.0;
    for ((code, rate), (price, tax)) in by_tax {
        let text = format!(
            "{} {code}, {}: {} {}, {} {}",
            language.of("Avgiftskode", "Tax code"),
            language.rate(rate),
            language.of("grunnlag", "net"),
            language.amount(price - tax),
            language.of("mva.", "tax"),
            language.amount(tax),
        );
        for line in Weight::Regular.fitted(&text, 9.0, RIGHT - MARGIN, 1) {
            let left = RIGHT - line.width;
            parts.push(Part::group(Tag::P, vec![Mark::Text(line, left, y, Ink::Grey)]));
        }
        y += 13.0;
    }
    parts.push(Part::Decoration(vec![area(
        MARGIN,
        top - 15.0,
        RIGHT - MARGIN,
        0.8,
        Ink::Navy,
    )?]));
    Ok(())
}
