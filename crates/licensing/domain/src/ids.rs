//! Ids that follow from other ids, so that doing a thing twice makes it once.

use uuid::Uuid;
use vocabulary::{LetterKind, Word as _};

/// Namespace of the ids derived here. Never changes.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f0d_71c8_1d53_5d7b_9c7e_52a1_6b0f_43e9);

/// The id of the license type with this code.
pub fn license_type_id(code: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("license_type\n{code}").as_bytes())
}

/// The id of the terms: there is one aggregate of them.
pub fn terms_id() -> Uuid {
    Uuid::new_v5(&NAMESPACE, b"terms")
}

/// The id of the master keys: there is one aggregate of them.
pub fn keyring_id() -> Uuid {
    Uuid::new_v5(&NAMESPACE, b"keyring")
}

/// The id of the license of one line of an order: issuing it again is issuing the same one.
pub fn license_id(order_id: Uuid, line: u16) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("license\n{order_id}\n{line}").as_bytes())
}

/// The id of one year's series of receipts.
pub fn receipt_series_id(year: i32) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("receipt_series\n{year}").as_bytes())
}

/// The id of the receipt with this number.
pub fn receipt_id(year: i32, number: u32) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("receipt\n{year}\n{number}").as_bytes())
}

/// The id of the letters of an order.
pub fn letters_id(order_id: Uuid) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("letters\n{order_id}").as_bytes())
}

/// The id of one letter of an order: there is one that brings the licenses, and one for each receipt.
pub fn letter_id(order_id: Uuid, kind: LetterKind, receipt_number: Option<&str>) -> Uuid {
    let (kind, number) = (kind.as_str(), receipt_number.unwrap_or_default());
    Uuid::new_v5(
        &NAMESPACE,
        format!("letter\n{order_id}\n{kind}\n{number}").as_bytes(),
    )
}

/// The number of an order, as people read it to each other: `BL-XXXXX-XXXXX`, fifty bits of the order's id in
/// Crockford's base 32 (no I, L, O, U).
pub fn order_number(order_id: Uuid) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let bits = Uuid::new_v5(&NAMESPACE, order_id.as_bytes()).as_u128();
    let digit = |place: u32| char::from(ALPHABET[(bits >> (place * 5) & 31) as usize]);
    let group = |first: u32| (first..first + 5).map(digit).collect::<String>();
    format!("BL-{}-{}", group(0), group(5))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::{license_id, license_type_id, order_number};

    #[test]
    fn derived_ids_are_stable_and_distinct() {
        let order = Uuid::from_u128(7);
        assert_eq!(license_id(order, 1), license_id(order, 1));
        assert_ne!(license_id(order, 1), license_id(order, 2));
        assert_ne!(license_type_id("a"), license_type_id("b"));
    }

    #[test]
    fn order_numbers_are_readable_and_do_not_collide() {
        let numbers: HashSet<String> = (0..20_000_u128)
            .map(|n| order_number(Uuid::from_u128(n)))
            .collect();
        assert_eq!(numbers.len(), 20_000);
        for number in numbers {
            assert_eq!(number.len(), 14);
            assert!(
                number.starts_with("BL-") && !number[3..].contains(['I', 'L', 'O', 'U']),
                "{number}"
            );
        }
    }
}
