//! What makes two texts the same text, wherever they were typed.
//!
//! One name reaches us composed from a phone, decomposed from a Mac, with a no-break space from a web page and in
//! capitals from a spreadsheet. [`normalize`] gives the form that is stored and shown, [`fold`] the key that equality
//! and search use. Both sides need them, the rules of the write side and the `q` of the read side, so they live in a
//! crate that knows neither.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{BidiControl, Dash, DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// The form in which text is stored and shown: NFC, each run of white space of any kind (Unicode `White_Space`) is
/// one space, none at the ends. Normalizing again changes nothing.
pub fn normalize(text: &str) -> String {
    collapse(&ComposingNormalizer::new_nfc().normalize(text))
}

/// The key of a text for equality and search: equal for two texts that differ only in case, width, composition, white
/// space, kind of dash or apostrophe, or in characters that show nothing. Never shown. Folding again changes nothing.
///
/// Unicode's `toNFKC_Casefold` (UAX #44) over the normalized text, with all dashes as `-` and all apostrophes as `'`.
/// It folds each character by itself, so the key of a part is a part of the key of the whole, unless the part begins
/// with a combining mark.
pub fn fold(text: &str) -> String {
    let decompose = DecomposingNormalizer::new_nfkd();
    let decomposed = decompose.normalize(text);
    let folded = CaseMapper::new().fold_string(&decomposed);
    let kept: String = decompose
        .normalize(&folded)
        .chars()
        .filter(|&c| !is_invisible(c))
        .map(plain)
        .collect();
    normalize(&kept)
}

/// A folded text in the letters that people fall back on when their keyboard or memory lacks the right ones: "bodø" and "bodo",
/// "ås" and "aas", "müller", "muller" and "mueller" are one. For search, where finding too much beats finding nothing.
///
/// Latin letters lose their marks, letters of their own become the ones that stand for them, and an `a` or `e` that only
/// lengthens or turns the vowel before it is left out. Other scripts stay.
pub fn latinize(folded: &str) -> String {
    let mut latin = String::with_capacity(folded.len());
    let (mut after_latin, mut vowel) = (false, None);
    for c in DecomposingNormalizer::new_nfd().normalize(folded).chars() {
        if after_latin && is_mark(c) {
            // "å" is no "a" that a second one lengthens.
            vowel = None;
            continue;
        }
        if let Some(before) = vowel.take()
            && (c == 'e' || (c == 'a' && before == 'a'))
        {
            continue;
        }
        after_latin = true;
        match c {
            'a' | 'o' | 'u' => {
                latin.push(c);
                vowel = Some(c);
            }
            'æ' => latin.push('a'),
            'ø' | 'œ' => latin.push('o'),
            'đ' | 'ð' => latin.push('d'),
            'þ' => latin.push_str("th"),
            'ł' => latin.push('l'),
            'ŋ' => latin.push('n'),
            'ŧ' => latin.push('t'),
            'ħ' => latin.push('h'),
            'ı' => latin.push('i'),
            other => {
                latin.push(other);
                after_latin = other.is_ascii_lowercase();
            }
        }
    }
    ComposingNormalizer::new_nfc().normalize(&latin).into_owned()
}

/// Whether a character is a mark that stands on the letter before it.
fn is_mark(c: char) -> bool {
    CodePointMapData::<GeneralCategory>::new().get(c) == GeneralCategory::NonspacingMark
}

/// Whether a character takes part in a text without showing: what Unicode calls default-ignorable (zero-width spaces
/// and joiners, fillers, variation selectors, tags), and what turns the direction of the text around it.
pub fn is_invisible(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || CodePointSetData::new::<BidiControl>().contains(c)
}

/// Whether a character is a hyphen or dash of any kind (Unicode `Dash`).
pub fn is_dash(c: char) -> bool {
    CodePointSetData::new::<Dash>().contains(c)
}

/// Whether a character is written for an apostrophe: phones and word processors turn `'` into the others.
pub const fn is_apostrophe(c: char) -> bool {
    matches!(
        c,
        '\'' | '`' | '\u{b4}' | '\u{2bc}' | '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}'
    )
}

/// The value of a decimal digit of any script, full width included.
///
/// Unicode keeps the digits 0 to 9 of a script in a row, and never changes that (stability policy), so the distance to
/// the row's beginning is the value.
pub fn digit(c: char) -> Option<u32> {
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_digit = |code: &u32| categories.get32(*code) == GeneralCategory::DecimalNumber;
    let code = u32::from(c);
    if !is_digit(&code) {
        return None;
    }
    // The mathematical digits are five such rows without a gap.
    let before = (0..code).rev().take_while(is_digit).count();
    u32::try_from(before % 10).ok()
}

fn plain(c: char) -> char {
    if is_dash(c) {
        '-'
    } else if is_apostrophe(c) {
        '\''
    } else {
        c
    }
}

fn collapse(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}

#[cfg(test)]
mod tests;
