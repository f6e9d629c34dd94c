//! The document of a license: an A5 page that a gate reads in two seconds, on paper or on a phone.

use std::num::NonZeroU16;

use chrono::NaiveDate;
use krilla::tagging::{TableHeaderScope, Tag};
use uuid::Uuid;

use crate::sheet::{About, Ink, Mark, Part, area, render};
use crate::typeface::Weight;
use crate::{DocumentError, Language, symbol};

/// What a license says. The texts are in the language of the document, as far as they have one.
#[derive(Clone, Debug)]
pub struct License<'a> {
    /// Number that a person can read aloud.
    pub number: &'a str,
    /// Id, for those who cannot read the code.
    pub license_id: Uuid,
    /// Name of the license type.
    pub type_name: &'a str,
    /// Name of the club that runs the activity.
    pub club: &'a str,
    /// First day it is valid, in Norway.
    pub first_day: NaiveDate,
    /// Number of consecutive days.
    pub days: u8,
    /// Full name of the holder; personal data.
    pub holder: &'a str,
    /// Birth date of the holder; personal data.
    pub birth_date: NaiveDate,
    /// Number of the vehicle; personal data.
    pub vehicle: Option<&'a str>,
    /// Day it was issued, in Norway.
    pub issued_on: NaiveDate,
    /// The text of its QR code.
    pub code: &'a str,
}

/// A5 in points.
const SIZE: (f32, f32) = (419.53, 595.28);
const MARGIN: f32 = 32.0;
const INNER: f32 = SIZE.0 - 2.0 * MARGIN;
const BAND: f32 = 108.0;
/// Where the values of the table begin.
const VALUES: f32 = MARGIN + 84.0;
const CODE_SIDE: f32 = 208.0;
const CODE_TOP: f32 = SIZE.1 - 34.0 - CODE_SIDE;
/// The code's quiet zone begins here, so that its dark modules stand under the texts above.
const CODE_LEFT: f32 = MARGIN - CODE_SIDE * 4.0 / 57.0;
const BESIDE_CODE: f32 = CODE_LEFT + CODE_SIDE + 6.0;

/// The PDF.
pub fn pdf(license: &License<'_>, language: Language) -> Result<Vec<u8>, DocumentError> {
    let title = format!("{} {}", language.of("Lisens", "License"), license.number);
    let about = About {
        title,
        language,
        author: "Bilsportlisens",
        made_on: license.issued_on,
        size: SIZE,
    };
    let mut parts = vec![Part::Decoration(vec![
        area(0.0, 0.0, SIZE.0, BAND, Ink::Navy)?,
        area(0.0, BAND, SIZE.0, 4.0, Ink::Red)?,
    ])];
    parts.extend(head(license, language));
    parts.extend(table(license, language)?);
    parts.extend(code(license, language)?);
    render(&about, vec![parts])
}

fn head(license: &License<'_>, language: Language) -> [Part; 3] {
    let kind = language.of("LISENS TIL BILSPORT", "MOTORSPORT LICENSE");
    let number = Weight::Bold.line(license.number, 9.0);
    let number_at = SIZE.0 - MARGIN - number.width;
    let kind = Weight::Bold.line(kind, 9.0);
    let mut y = 60.0;
    let lines = Weight::Bold.fitted(license.type_name, 23.0, INNER, 2);
    if lines.len() == 1 {
        y += 14.0;
    }
    let mut name = Vec::new();
    for line in lines {
        let step = line.size * 1.2;
        name.push(Mark::Text(line, MARGIN, y, Ink::White));
        y += step;
    }
    let above = vec![
        Mark::Text(kind, MARGIN, 32.0, Ink::Pale),
        Mark::Text(number, number_at, 32.0, Ink::Pale),
    ];
    let days = language.days(license.first_day, license.days);
    let when = Weight::Bold.fitted(&days, 19.0, INNER, 1);
    let when = when
        .into_iter()
        .map(|line| Mark::Text(line, MARGIN, BAND + 40.0, Ink::Navy))
        .collect();
    [
        Part::group(Tag::P, above),
        Part::group(Tag::Hn(NonZeroU16::MIN, Some(license.type_name.to_owned())), name),
        Part::group(Tag::P, when),
    ]
}

fn table(license: &License<'_>, language: Language) -> Result<Vec<Part>, DocumentError> {
    let born = language.day(license.birth_date);
    let mut rows = vec![
        (
            language.of("Innehaver", "Holder"),
            license.holder,
            Weight::Bold,
            14.0,
        ),
        (language.of("Født", "Born"), born.as_str(), Weight::Regular, 12.0),
        (language.of("Klubb", "Club"), license.club, Weight::Regular, 12.0),
    ];
    if let Some(vehicle) = license.vehicle {
        rows.push((language.of("Kjøretøy", "Vehicle"), vehicle, Weight::Regular, 12.0));
    }
    let (mut y, mut body, mut rules) = (BAND + 56.0, Vec::new(), Vec::new());
    for (label, value, weight, size) in rows {
        rules.push(area(MARGIN, y, INNER, 0.6, Ink::Hairline)?);
        let mut baseline = y + 20.0;
        let label = Weight::Regular.line(label, 9.5);
        let label = vec![Mark::Text(label, MARGIN, baseline, Ink::Grey)];
        let mut cell = Vec::new();
        let mut step = 0.0;
        for line in weight.fitted(value, size, SIZE.0 - MARGIN - VALUES, 2) {
            baseline += step;
            step = line.size * 1.2;
            cell.push(Mark::Text(line, VALUES, baseline, Ink::Black));
        }
        y = baseline + 10.0;
        body.push(Part::Group(
            Tag::TR.into(),
            vec![
                Part::group(Tag::TH(TableHeaderScope::Row), label),
                Part::group(Tag::TD, cell),
            ],
        ));
    }
    rules.push(area(MARGIN, y, INNER, 0.6, Ink::Hairline)?);
    Ok(vec![
        Part::Decoration(rules),
        Part::Group(Tag::Table.into(), vec![Part::Group(Tag::TBody.into(), body)]),
    ])
}

fn code(license: &License<'_>, language: Language) -> Result<Vec<Part>, DocumentError> {
    let symbol = symbol::path(license.code, CODE_LEFT, CODE_TOP, CODE_SIDE)?;
    let alt = language.of(
        "QR-kode med lisensen og signaturen. Porten leser den uten nett.",
        "QR code with the license and its signature. The gate reads it offline.",
    );
    let width = SIZE.0 - MARGIN - BESIDE_CODE;
    let mut y = CODE_TOP + 24.0;
    let mut beside = Vec::new();
    for (text, weight, size, ink) in [
        (
            language.of("Vis koden ved porten.", "Show the code at the gate."),
            Weight::Bold,
            11.0,
            Ink::Black,
        ),
        (
            language.of(
                "Ta med legitimasjon. Lisensen gjelder bare innehaveren.",
                "Bring identification. The license is for its holder only.",
            ),
            Weight::Regular,
            10.0,
            Ink::Black,
        ),
    ] {
        let mut marks = Vec::new();
        for line in weight.fitted(text, size, width, 6) {
            let step = line.size * 1.35;
            marks.push(Mark::Text(line, BESIDE_CODE, y, ink));
            y += step;
        }
        y += 8.0;
        beside.push(Part::group(Tag::P, marks));
    }
    let issued = format!(
        "{} {}",
        language.of("Utstedt", "Issued"),
        language.day(license.issued_on)
    );
    let id = Weight::Regular.line(&license.license_id.to_string(), 7.0);
    let issued = Weight::Regular.line(&issued, 7.0);
    let (id_at, y) = (SIZE.0 - MARGIN - id.width, SIZE.1 - 20.0);
    let foot = vec![
        Mark::Text(issued, MARGIN, y, Ink::Grey),
        Mark::Text(id, id_at, y, Ink::Grey),
    ];
    let mut parts = vec![Part::group(
        Tag::Figure(Some(alt.to_owned())),
        vec![Mark::Shape(symbol, Ink::Black)],
    )];
    parts.extend(beside);
    parts.push(Part::group(Tag::P, foot));
    Ok(parts)
}
