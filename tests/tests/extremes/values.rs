//! Extreme values, just inside and just outside of what a rule could allow.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// Whole numbers, and values that only look like one.
pub(crate) static NUMBERS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    vec![
        json!(i64::MIN),
        json!(-1),
        json!(0),
        json!(1),
        json!(9_999_999),
        json!(10_000_000),
        json!(10_000_001),
        json!(u32::MAX),
        json!(1_i64 << 53),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!("1"),
        Value::Null,
    ]
});

/// Dates, and texts that only look like one.
pub(crate) const DATES: &[&str] = &[
    "1899-12-31",
    "1900-01-01",
    "1906-11-30",
    "1990-05-17",
    "2000-02-29",
    "2001-02-29",
    "2015-06-01",
    "2100-12-31",
    "2101-01-01",
    "9999-12-31",
    "10000-01-01",
    "+20266-06-01",
    "20266-06-01",
    "-0044-03-15",
    "0000-01-01",
    "-262143-01-01",
    "+262142-12-31",
    "2026-2-3",
    "infinity",
    "",
];

/// Moments, and texts that only look like one.
pub(crate) const MOMENTS: &[&str] = &[
    "1899-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z",
    "2026-12-31T23:59:60Z",
    "2027-06-01T00:00:00.123456789Z",
    "2027-06-01T00:00:00.999999999+14:00",
    "2027-06-01T00:00:00-12:00",
    "2027-06-01t00:00:00z",
    "2027-06-01 00:00:00Z",
    "2027-06-01T00:00:00",
    "2027-06-01",
    "2100-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999999Z",
    "10000-01-01T00:00:00Z",
    "+20266-01-01T00:00:00Z",
    "20266-01-01T00:00:00Z",
    "-0044-03-15T00:00:00Z",
    "+262142-12-31T23:59:59Z",
    "infinity",
    "now",
    "",
];

/// Phones in their stored form, or refused.
pub(crate) const PHONES: &[&str] = &[
    "+4790000000",
    "+4722222222",
    "+46701234567",
    "+12025550143",
    "+4900000000000000",
    "+1",
    "00000000",
    "\u{0}",
];

/// E-mail addresses in their stored form, or refused.
pub(crate) const EMAILS: &[&str] = &[
    "kari@example.no",
    "k@e.no",
    "Kari.Nordmann+bil@example.no",
    "kåre@blåbær.no",
    "100%_sikker@example.no",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@example.no",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx@example.no",
    "kari@example.no,",
    "kari\u{0}@example.no",
];

/// Numbers of vehicles in their stored form, or refused.
pub(crate) const VEHICLE_NUMBERS: &[&str] = &[
    "AB12345",
    "A1",
    "ABCDEF123456",
    "ABCDEFG1234567",
    "ÆØÅ1",
    "WVWZZZ1JZ3W386752",
    "0123456789ABCDEF0123456789ABCDEF",
    "0123456789ABCDEF0123456789ABCDEFX",
    "AB\u{0}12345",
    "АВ12345",
    "-",
];

/// Texts of up to `most` + 1 characters, of many scripts, composed and not, some with forbidden characters.
pub(crate) fn texts(most: usize) -> Vec<String> {
    let mut texts: Vec<String> = [
        "x",
        "Å",
        "𠮷",
        "\u{10fffd}",
        "a\u{30a}",
        "e\u{301}",
        "q\u{323}\u{307}",
        "ǆ",
        "ß",
        "ﬃ",
        "ع",
        "\"",
        "\\",
        "&",
        "한",
    ]
    .into_iter()
    .flat_map(|unit| {
        let units = most / unit.chars().count();
        [unit.repeat(units), unit.repeat(units + 1), unit.to_owned()]
    })
    .collect();
    texts.extend(
        [
            "",
            " ",
            "\u{a0}Åse \u{2003} Øen\t",
            "A\u{30a}se O\u{308}en",
            "O\u{2019}Brien",
            "Anne\u{2011}Marie",
            "Дарья Ёлкина",
            "Οδυσσεύς",
            "محمد",
            "مُحَمَّد",
            "שָׁלוֹם",
            "علی\u{200c}رضا",
            "क्\u{200d}षितिज",
            "สมชาย ใจดี",
            "မြွှေ့",
            "山田 タロウ",
            "ﾔﾏﾀﾞ",
            "김민준",
            "\u{1112}\u{1161}\u{11ab}",
            "Nguyễn Thị Ánh",
            "İstanbul ıĞ",
            "ΟΔΥΣΣΕΥΣ ς",
            "STRASSE ẞ",
            "👩\u{200d}👧",
            "🇳🇴 NMK",
            "100%_sikker \\",
            "'; drop table orders;--",
            "<b>&amp;</b>",
            "\u{0}",
            "a\u{0}b",
            "\u{1}",
            "\u{7f}",
            "\u{85}",
            "a\u{2028}b",
            "\u{202e}abc",
            "\u{feff}abc",
            "\u{3164}",
            "\u{e000}",
            "\u{ffff}",
            "\u{fffd}",
            "Z\u{300}\u{301}\u{302}\u{303}\u{304}algo",
            "\\u0000",
            "null",
            "NaN",
            "=1+1",
        ]
        .map(str::to_owned),
    );
    texts
}
