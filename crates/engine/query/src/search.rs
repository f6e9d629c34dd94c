//! The text that `q` searches, and what a `q` looks for in it: made by the same function, so that the same text is
//! found however it was typed.
//!
//! Names and addresses are kept as words, in the letters that everyone can type. Numbers are kept without what people put
//! between their parts, and phones with their country, since a number plate, a reference or a phone has as many
//! spellings as writers.

use text::{fold, latinize};

/// From this length on, each part of a number in parts can be a number of its own.
const OWN_DIGITS: usize = 4;
/// Letters and digits that an index can find anywhere in a text. Fewer are looked for where words begin.
const ANYWHERE: usize = 3;
/// Letters of a word that can be looked for with a typing error.
const SIMILAR: usize = 4;
/// Digits of a phone within Norway.
const NATIONAL_DIGITS: usize = 8;

/// What a row is found by.
#[derive(Clone, Copy)]
pub enum Term<'a> {
    /// Names, addresses: found by any part of any word.
    Words(&'a str),
    /// A number with letters in it: a reference, a number plate. Found by its letters and digits, whatever stands between them.
    Number(&'a str),
    /// A phone: found by its digits, with or without its country.
    Phone(&'a str),
}

/// Words that rows are only similar to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Similar {
    /// The column with what a row is found by.
    pub(crate) column: &'static str,
    pub(crate) words: Vec<String>,
}

/// The column `search` for what a row is found by.
pub fn searched<'a>(terms: impl IntoIterator<Item = Term<'a>>) -> String {
    let mut text = String::new();
    for term in terms {
        let term = match term {
            Term::Words(words) => latinize(&key(words)),
            Term::Number(number) => compact(&key(number)),
            Term::Phone(number) => phone(&key(number)),
        };
        // Every word has a space before it.
        if !term.is_empty() {
            text.push(' ');
        }
        text.push_str(&term);
    }
    text
}

/// What a `q` looks for in that column: of each list, the row must hold one.
pub(crate) fn sought(q: &str) -> Vec<Vec<String>> {
    let mut sought = whole(q);
    for part in sought.iter_mut().flatten() {
        if part.chars().count() < ANYWHERE {
            part.insert(0, ' ');
        }
    }
    sought
}

/// The words of `q` in which a typing error may be looked past, and what else it looks for, as [`sought`]. Nothing without such
/// words.
pub(crate) fn similar(q: &str) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let is_word = |list: &Vec<String>| {
        let word = &list[0];
        word.chars().count() >= SIMILAR && word.chars().all(char::is_alphabetic)
    };
    let (words, others): (Vec<_>, Vec<_>) = sought(q).into_iter().partition(is_word);
    let words: Vec<String> = words
        .into_iter()
        .filter_map(|list| list.into_iter().next())
        .collect();
    (!words.is_empty()).then_some((words, others))
}

fn whole(q: &str) -> Vec<Vec<String>> {
    let q = key(q);
    let words: Vec<&str> = q.split(' ').filter(|word| !word.is_empty()).collect();
    let mut sought = Vec::new();
    // Words of digits that follow each other are one number, written in parts.
    for run in words.chunk_by(|one, next| is_digits(one) && is_digits(next)) {
        let parts: Vec<Vec<String>> = run.iter().map(|word| spellings(word)).collect();
        if run.len() == 1 {
            sought.extend(parts);
            continue;
        }
        let whole = dialled(&run.concat());
        if run.iter().all(|word| compact(word).len() >= OWN_DIGITS) {
            // Or several numbers: then the row holds each.
            sought.extend(parts.into_iter().map(|mut part| {
                part.push(whole.clone());
                part
            }));
        } else {
            sought.push(vec![whole]);
        }
    }
    sought
}

/// Folded, with the digits of all scripts as one kind.
fn key(text: &str) -> String {
    let plain = |c| {
        text::digit(c)
            .and_then(|digit| char::from_digit(digit, 10))
            .unwrap_or(c)
    };
    fold(text).chars().map(plain).collect()
}

/// A word as it stands, and as a number.
fn spellings(word: &str) -> Vec<String> {
    let mut spellings = vec![latinize(word)];
    let number = if is_digits(word) {
        dialled(word)
    } else if word.chars().all(|c| c.is_alphanumeric() || is_separator(c)) {
        compact(word)
    } else {
        return spellings;
    };
    if number != spellings[0] && !number.is_empty() {
        spellings.push(number);
    }
    spellings
}

/// Letters and digits alone.
fn compact(folded: &str) -> String {
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// A phone with its country, as the column holds it.
fn phone(folded: &str) -> String {
    let digits = compact(&folded.replace("(0)", ""));
    if folded.starts_with('+') {
        return digits;
    }
    match digits.strip_prefix("00") {
        Some(international) if digits.len() > NATIONAL_DIGITS => international.to_owned(),
        _ if digits.len() == NATIONAL_DIGITS => format!("47{digits}"),
        _ => digits,
    }
}

/// The digits of a number that someone looks for, without what is dialled before a whole one.
fn dialled(folded: &str) -> String {
    let digits = compact(&folded.replace("(0)", ""));
    let number = digits.trim_start_matches('0');
    if number.len() >= NATIONAL_DIGITS {
        number.to_owned()
    } else {
        digits
    }
}

fn is_digits(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit()) && word.chars().all(|c| c.is_ascii_digit() || is_separator(c))
}

/// What people put between the parts of a number. Folding has made all dashes one.
const fn is_separator(c: char) -> bool {
    matches!(c, '-' | '.' | '/' | '+' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use super::{Term, searched, similar, sought};

    /// Whether `q` finds a row with these terms.
    fn finds(q: &str, terms: &[Term<'_>]) -> bool {
        let text = searched(terms.iter().copied());
        sought(q)
            .iter()
            .all(|any| any.iter().any(|part| text.contains(part.as_str())))
    }

    #[test]
    fn terms_are_folded_with_spaces_between() {
        let terms = [
            Term::Number("BL-1"),
            Term::Words("Ærlig  ÅS"),
            Term::Words(""),
            Term::Phone("900 00 000"),
        ];
        assert_eq!(searched(terms), " bl1 arlig as 4790000000");
        assert_eq!(searched([]), "");
    }

    #[test]
    fn a_word_is_found_however_it_is_typed() {
        for (q, words) in [
            ("bjo\u{308}rn", "Björn"),
            ("BJÖRN", "bjo\u{308}rn"),
            ("Åse\u{a0} \u{2003}Øen", "A\u{30a}se Øen"),
            ("STRASSE", "Straße"),
            ("straße", "STRASSE"),
            ("ΟΔΥΣ", "οδυσσευς"),
            ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
            ("ﬁn", "Finn"),
            ("anne-marie", "Anne\u{2011}Marie"),
            ("o'hara", "O\u{2019}Hara"),
            ("kari.1@example", "KARI.1@example.no"),
        ] {
            assert!(finds(q, &[Term::Words(words)]), "{q} in {words}");
        }
        for (q, words) in [
            ("ase", "Åse"),
            ("aase", "Åse"),
            ("tromso", "Tromsø"),
            ("nordmann", "Åse-Nordmann"),
        ] {
            assert!(finds(q, &[Term::Words(words)]), "{q} in {words}");
        }
        for (q, words) in [("asa", "Åse"), ("bjornx", "Bjorn"), ("100%%", "100%_sikker")] {
            assert!(!finds(q, &[Term::Words(words)]), "{q} in {words}");
        }
    }

    #[test]
    fn one_and_two_letters_are_looked_for_where_words_begin() {
        let row = [Term::Words("Åse Li"), Term::Number("AB 12345")];
        for q in ["l", "li", "å", "ås", "ab", "a l"] {
            assert!(finds(q, &row), "{q}");
        }
        for q in ["i", "se", "b", "12"] {
            assert!(!finds(q, &row), "{q}");
        }
    }

    #[test]
    fn typing_errors_are_looked_past_in_words() {
        let words = |q| similar(q).map(|(words, others)| (words.join(" "), others.len()));
        assert_eq!(
            words("Nordmnan Kårri 90012345"),
            Some(("nordmnan karri".into(), 1))
        );
        for q in ["Ola", "BL-7K2QM", "90012345", "kari@example.no", ""] {
            assert_eq!(words(q), None, "{q}");
        }
    }

    #[test]
    fn a_phone_is_found_in_any_spelling() {
        for kept in [
            "900 12 345",
            "90012345",
            "+47 900 12 345",
            "+4790012345",
            "0047 90012345",
            "+47-900-12-345",
        ] {
            for q in [
                "900 12 345",
                "90012345",
                "+47 900 12 345",
                "+4790012345",
                "004790012345",
                "0047 900 12 345",
                "(+47) 900 12 345",
                "900-12-345",
                "900.12.345",
                "47 90012345",
                "9001 2345",
                "900\u{a0}12\u{a0}345",
                "９００１２３４５",
                "٩٠٠١٢٣٤٥",
                "९०० १२ ३४५",
                "12 345",
                "345",
                "00123",
                "kari 900 12 345",
            ] {
                let terms = [Term::Words("Kari"), Term::Phone(kept)];
                assert!(finds(q, &terms), "{q} for {kept}");
            }
            for q in ["900 12 346", "46 900 12 345", "12 346", "ola 90012345"] {
                let terms = [Term::Words("Kari"), Term::Phone(kept)];
                assert!(!finds(q, &terms), "{q} for {kept}");
            }
        }
        for (kept, q) in [
            ("+46 70 123 45 67", "070-123 45 67"),
            ("+46 (0)70 123 45 67", "+46701234567"),
            ("+44 7700 900123", "07700 900123"),
        ] {
            assert!(finds(q, &[Term::Phone(kept)]), "{q} for {kept}");
        }
    }

    #[test]
    fn a_number_in_parts_is_one_number_unless_its_parts_can_be_others() {
        let row = [
            Term::Number("EK 22345"),
            Term::Number("BL-7K2QM-4XN9D"),
            Term::Phone("900 12 345"),
        ];
        assert!(finds("22345 90012345", &row), "a plate and a phone");
        assert!(!finds("23 45 90", &row), "parts of several numbers");
    }

    #[test]
    fn a_plate_and_a_reference_are_found_in_any_spelling() {
        for kept in ["AB 12345", "AB12345", "AB-12345"] {
            for q in [
                "AB12345",
                "AB 12345",
                "ab-12345",
                "ab\u{2013}12345",
                "12345",
                "ab123",
                "12345 ab",
            ] {
                assert!(finds(q, &[Term::Number(kept)]), "{q} for {kept}");
            }
            assert!(!finds("ab12346", &[Term::Number(kept)]));
        }
        for q in [
            "BL-7K2QM-KXNFD",
            "bl-7k2qm-kxnfd",
            "7k2qm-kxnfd",
            "7k2qmkxnfd",
            "bl7k2qmkxnfd",
            "bl 7k2qm kxnfd",
            "BL7K2QM-KXNFD",
            "bl-",
            "kxnfd",
        ] {
            assert!(finds(q, &[Term::Number("BL-7K2QM-KXNFD")]), "{q}");
        }
    }
}
