//! The text that `q` searches.

/// The column `search` for what a row is found by.
pub fn searched<'a>(terms: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for term in terms {
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(lower_case(term));
    }
    text
}

/// In lower case, each character by itself: so a part of a text becomes the same part of the whole.
pub(crate) fn lower_case(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::searched;

    #[test]
    fn terms_are_in_lower_case_with_spaces_between() {
        assert_eq!(searched(["BL-1", "Ærlig ÅS"]), "bl-1 ærlig ås");
        assert_eq!(searched([]), "");
    }

    /// By the rules for whole words the last letter would be another one than in the middle of a longer word.
    #[test]
    fn a_part_is_a_part_of_the_whole() {
        assert!(searched(["ΟΔΥΣΣΕΥΣ"]).contains(&searched(["ΟΔΥΣ"])));
    }
}
