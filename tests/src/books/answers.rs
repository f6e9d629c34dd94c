//! The acknowledgements: a repeated key gets the same answer, byte for byte, even much later.

use crate::Shop;
use crate::purchase::Purchase;

/// How many keys are repeated.
const SAMPLE: usize = 100;

pub(super) async fn complaints(shop: &Shop, purchases: &[Purchase]) -> Vec<String> {
    let mut complaints = Vec::new();
    for purchase in purchases.iter().step_by(purchases.len().div_ceil(SAMPLE).max(1)) {
        let answer = shop.place(&purchase.key, &purchase.order).await;
        let replayed = answer.header("idempotency-replayed") == Some("true");
        if answer.status != 201 || !replayed || answer.text != purchase.answer {
            complaints.push(format!(
                "answer: {} was told {} and now, {} and replayed: {replayed}, {}",
                purchase.key, purchase.answer, answer.status, answer.text
            ));
        }
    }
    complaints
}
