//! Describes the expected value in words. serde's message names Rust types, so it is parsed here and never sent.

/// What a value should be, in bokmål and English.
type Texts = (&'static str, &'static str);

const INTEGERS: [&str; 10] = [
    "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize",
];

/// The texts for serde's message about one value.
pub(super) fn explain(message: &str) -> Texts {
    let expected = message
        .split_once(", expected ")
        .map_or("", |(_, expected)| expected);
    // serde_json appends the line and column.
    let expected = expected.split(" at line ").next().unwrap_or("");
    if message.starts_with("invalid type: null") {
        return (
            "Må fylles ut, og kan ikke være null.",
            "Is required and cannot be null.",
        );
    }
    if INTEGERS.contains(&expected) {
        return integer(message);
    }
    if message.starts_with("UUID parsing failed") || expected.contains("UUID") {
        return (
            "Må være en id (UUID) i anførselstegn.",
            "Must be an id (UUID) in quotes.",
        );
    }
    if message.starts_with("unknown variant") {
        return (
            "Verdien er ikke en av dem som kan velges.",
            "The value is not one of those to choose from.",
        );
    }
    if message.starts_with("invalid length") || expected.starts_with("struct ") || expected == "a map" {
        return ("Må være et objekt: { … }.", "Must be an object: { … }.");
    }
    match expected {
        "a date" => (
            "Datoen må skrives ÅÅÅÅ-MM-DD, med år fra 1900 til 2100.",
            "The date must be written YYYY-MM-DD, with a year from 1900 to 2100.",
        ),
        "a moment" => (
            "Tidspunktet må skrives som 2026-06-01T10:00:00Z (RFC 3339), med år fra 1900 til 2100.",
            "The time must be written like 2026-06-01T10:00:00Z (RFC 3339), with a year from 1900 to 2100.",
        ),
        "a string" | "a borrowed string" => ("Må være tekst i anførselstegn.", "Must be text in quotes."),
        "a boolean" => ("Må være true eller false.", "Must be true or false."),
        "a sequence" => ("Må være en liste: [ … ].", "Must be a list: [ … ]."),
        "f32" | "f64" => (
            "Må være et tall uten anførselstegn.",
            "Must be a number without quotes.",
        ),
        _ => (
            "Verdien har feil type eller format.",
            "The value has the wrong type or format.",
        ),
    }
}

fn integer(message: &str) -> Texts {
    if message.starts_with("invalid value") {
        return (
            "Tallet er for stort eller for lite.",
            "The number is too large or too small.",
        );
    }
    (
        "Må være et heltall uten anførselstegn.",
        "Must be a whole number without quotes.",
    )
}
