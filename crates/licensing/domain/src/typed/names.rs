//! Names of people, and what makes two of them one person. At the gate a name must be what it looks like.

use chrono::NaiveDate;
use icu_properties::CodePointMapData;
use icu_properties::props::{BidiClass, GeneralCategory, GeneralCategoryGroup, Script};

use super::characters::{category, is_letter, is_mark, script, visible};
use super::identity_numbers::has_identity_number;
use crate::refusal::Rule;

const MAX_CHARS: usize = 120;
const MAX_BYTES: usize = 360;

/// What names have besides letters, in all scripts.
const COMMON_PUNCTUATION: &[char] = &[
    ' ', '.', ',', '(', ')', '/', '"', '\u{b7}', '\u{30fb}', '\u{201c}', '\u{201d}',
];

/// A person's name: at least one letter, and what names have besides letters.
pub(crate) fn person_name(given: &str) -> Result<String, Rule> {
    let name = visible(given, MAX_CHARS)?;
    if name.len() > MAX_BYTES {
        return Err(Rule::TextTooLong);
    }
    if has_identity_number(&name) {
        return Err(Rule::NationalIdentityNumber);
    }
    if name.chars().any(|c| !of_names(c)) {
        return Err(Rule::NameCharacters);
    }
    if !name.chars().any(is_letter) {
        return Err(Rule::NameLetter);
    }
    one_script_a_word(&name)?;
    one_direction(&name)?;
    Ok(name)
}

/// The key that is equal for two spellings of one holder: rules and claims compare people by it.
pub fn holder_identity(name: &str, birth_date: NaiveDate) -> String {
    format!("{} {birth_date}", text::fold(name))
}

/// The key that is equal for two spellings of one club's name.
pub fn club_identity(name: &str) -> String {
    text::fold(name)
}

/// Letters, marks and digits of a script; dashes and apostrophes; a script's own punctuation (Hebrew geresh).
fn of_names(c: char) -> bool {
    if is_letter(c) || is_mark(c) || text::is_invisible(c) || text::is_dash(c) || text::is_apostrophe(c) {
        return true;
    }
    match category(c) {
        GeneralCategory::DecimalNumber | GeneralCategory::ModifierLetter | GeneralCategory::LetterNumber => {
            true
        }
        _ if COMMON_PUNCTUATION.contains(&c) => true,
        punctuation if GeneralCategoryGroup::Punctuation.contains(punctuation) => {
            !matches!(script(c), Script::Common | Script::Inherited)
        }
        _ => false,
    }
}

/// A word whose letters come from scripts that are never written together looks like another word (UTS #39, 5.1).
fn one_script_a_word(name: &str) -> Result<(), Rule> {
    let word_end = |c: char| !(is_letter(c) || is_mark(c) || text::is_invisible(c));
    for word in name.split(word_end) {
        let mut letters = word.chars().filter(|&c| is_letter(c)).map(script);
        if let Some(first) = letters.next()
            && !letters.all(|other| other == first || (is_east_asian(first) && is_east_asian(other)))
        {
            return Err(Rule::NameScripts);
        }
    }
    Ok(())
}

const fn is_east_asian(script: Script) -> bool {
    matches!(
        script,
        Script::Han | Script::Hiragana | Script::Katakana | Script::Hangul | Script::Bopomofo
    )
}

/// A name with letters of both directions shows its parts in an order that depends on the text around it.
fn one_direction(name: &str) -> Result<(), Rule> {
    let classes = CodePointMapData::<BidiClass>::new();
    let has = |wanted: &[BidiClass]| name.chars().any(|c| wanted.contains(&classes.get(c)));
    if has(&[BidiClass::LeftToRight]) && has(&[BidiClass::RightToLeft, BidiClass::ArabicLetter]) {
        return Err(Rule::NameDirection);
    }
    Ok(())
}
