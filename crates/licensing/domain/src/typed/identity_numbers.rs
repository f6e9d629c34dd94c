//! National identity numbers, which are never stored, wherever someone types them.

/// Whether a text holds eleven digits with the two check digits of a fødselsnummer or D-number (Skatteetaten: weights
/// 3 7 6 1 8 9 4 5 2 and 5 4 3 2 7 6 5 4 3 2, modulo 11).
///
/// Digits of any script count, and characters between two digits, letters excepted, are skipped. A longer
/// row of digits without a gap is another number.
pub(super) fn has_identity_number(text: &str) -> bool {
    let folded = text::fold(text);
    folded.split(|c: char| c.is_alphabetic()).any(|part| {
        let groups: Vec<Vec<u32>> = part
            .split(|c| text::digit(c).is_none())
            .filter(|group| !group.is_empty())
            .map(|group| group.chars().filter_map(text::digit).collect())
            .collect();
        (0..groups.len()).any(|from| begins_with_one(&groups[from..]))
    })
}

/// Whether the first groups make up exactly eleven digits, and these are an identity number.
fn begins_with_one(groups: &[Vec<u32>]) -> bool {
    let mut digits = Vec::with_capacity(11);
    for group in groups {
        digits.extend_from_slice(group);
        if digits.len() >= 11 {
            return digits.len() == 11 && checks(&digits);
        }
    }
    false
}

fn checks(digits: &[u32]) -> bool {
    let sum = |weights: &[u32]| -> u32 {
        weights
            .iter()
            .zip(digits)
            .map(|(weight, digit)| weight * digit)
            .sum()
    };
    sum(&[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 == 0 && sum(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
}
