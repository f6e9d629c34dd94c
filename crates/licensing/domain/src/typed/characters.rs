//! What a character is and where it may stand, by Unicode's properties.

use icu_properties::props::{
    CanonicalCombiningClass, GeneralCategory, GeneralCategoryGroup, JoiningType, Script,
};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed};

use crate::refusal::Rule;

/// The longest text that is looked at, in bytes: four for each character of the longest that is allowed, and as much
/// again for white space that is going to be collapsed.
const MAX_RAW_BYTES: usize = 1024;

/// More nonspacing marks in a row than any language writes (UTS #39, 5.4).
const MAX_MARKS: usize = 4;

/// In the scripts whose accented letters are composed in NFC, what is left over is one or two.
const MAX_MARKS_ON_COMPOSED: usize = 2;

/// Vowel signs and the like, which take room of their own.
const MAX_SPACING_MARKS: usize = 2;

const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];

static CATEGORIES: CodePointMapDataBorrowed<'static, GeneralCategory> =
    CodePointMapData::<GeneralCategory>::new();
static SCRIPTS: CodePointMapDataBorrowed<'static, Script> = CodePointMapData::<Script>::new();
static JOINING: CodePointMapDataBorrowed<'static, JoiningType> = CodePointMapData::<JoiningType>::new();
static COMBINING: CodePointMapDataBorrowed<'static, CanonicalCombiningClass> =
    CodePointMapData::<CanonicalCombiningClass>::new();

pub(super) fn category(c: char) -> GeneralCategory {
    CATEGORIES.get(c)
}

pub(super) fn script(c: char) -> Script {
    SCRIPTS.get(c)
}

/// A letter of some script. Modifier letters such as `ʼ` only come with others, and styled letters such as `𝓚` are
/// symbols of mathematics: they have no script.
pub(super) fn is_letter(c: char) -> bool {
    GeneralCategoryGroup::Letter.contains(category(c))
        && category(c) != GeneralCategory::ModifierLetter
        && !matches!(script(c), Script::Common | Script::Inherited | Script::Unknown)
        && !text::is_invisible(c)
}

pub(super) fn is_mark(c: char) -> bool {
    GeneralCategoryGroup::Mark.contains(category(c))
}

/// The stored form of a text of at most `most` characters, if it holds nothing that hides, nothing that is not a
/// character, and no heap of marks. Empty text is `Required`.
pub(super) fn visible(given: &str, most: usize) -> Result<String, Rule> {
    if given.len() > MAX_RAW_BYTES.max(8 * most) {
        return Err(Rule::TextTooLong);
    }
    let stored = text::normalize(given);
    if stored.is_empty() {
        return Err(Rule::Required);
    }
    let chars: Vec<char> = stored.chars().collect();
    if chars.len() > most {
        return Err(Rule::TextTooLong);
    }
    for (at, &c) in chars.iter().enumerate() {
        let joins = JOINERS.contains(&c) && joins(&chars, at);
        if text::is_invisible(c) && !joins {
            return Err(Rule::TextInvisible);
        }
        if !joins && !is_character(c) {
            return Err(Rule::Text);
        }
    }
    marks(&chars)?;
    Ok(stored)
}

/// Not a control character, a half of one, a private one, or one that Unicode has not assigned.
fn is_character(c: char) -> bool {
    // White space is single spaces by now; other separators show as a space and are none.
    c == ' '
        || !(GeneralCategoryGroup::Other.contains(category(c))
            || GeneralCategoryGroup::Separator.contains(category(c)))
}

/// Whether the joiner at `at` does what joiners are for: RFC 5892, A.1 and A.2, between letters.
///
/// After a virama it chooses the form of an Indic conjunct. ZWNJ also keeps letters of a cursive script apart, as
/// Persian does within a word: the letter before it can join forward, the letter after it backward.
fn joins(chars: &[char], at: usize) -> bool {
    let (before, after) = (&chars[..at], &chars[at + 1..]);
    let Some(&next) = after.first().filter(|&&c| is_letter(c)) else {
        return false;
    };
    let Some(&last) = before.last() else {
        return false;
    };
    if COMBINING.get(last) == CanonicalCombiningClass::Virama {
        return before
            .iter()
            .rev()
            .find(|&&c| !is_mark(c))
            .is_some_and(|&c| is_letter(c));
    }
    let joining = |c: char| JOINING.get(c);
    let base = before
        .iter()
        .rev()
        .find(|&&c| joining(c) != JoiningType::Transparent);
    chars[at] == JOINERS[0]
        && base.is_some_and(|&c| matches!(joining(c), JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(
            joining(next),
            JoiningType::RightJoining | JoiningType::DualJoining
        )
}

/// Marks belong to a letter or digit, and none carries a heap of them, or one of them twice (UTS #39, 5.4).
fn marks(chars: &[char]) -> Result<(), Rule> {
    let mut base = None;
    let mut heap: Vec<char> = Vec::new();
    for &c in chars.iter().filter(|c| !JOINERS.contains(c)) {
        if !is_mark(c) {
            base = Some(c);
            heap.clear();
            continue;
        }
        let most = base.and_then(most_marks).ok_or(Rule::TextMarks)?;
        let again = heap.contains(&c) && is_nonspacing(c);
        heap.push(c);
        let nonspacing = heap.iter().filter(|&&c| is_nonspacing(c)).count();
        let enclosing = category(c) == GeneralCategory::EnclosingMark;
        if again || enclosing || nonspacing > most || heap.len() > most + MAX_SPACING_MARKS {
            return Err(Rule::TextMarks);
        }
    }
    Ok(())
}

/// How many nonspacing marks a letter or digit may carry.
fn most_marks(base: char) -> Option<usize> {
    if !is_letter(base) && text::digit(base).is_none() {
        return None;
    }
    Some(match script(base) {
        Script::Latin | Script::Greek | Script::Cyrillic | Script::Common => MAX_MARKS_ON_COMPOSED,
        _ => MAX_MARKS,
    })
}

fn is_nonspacing(c: char) -> bool {
    category(c) == GeneralCategory::NonspacingMark
}
