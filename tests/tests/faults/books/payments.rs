//! The provider: each purchase paid once, in full, and collected once.

use futures_util::StreamExt;
use system_tests::Shop;

use crate::till::Purchase;

pub(super) async fn complaints(shop: &Shop, purchases: &[Purchase]) -> Vec<String> {
    futures_util::stream::iter(purchases)
        .map(|purchase| complaint(shop, purchase))
        .buffer_unordered(8)
        .filter_map(std::future::ready)
        .collect()
        .await
}

async fn complaint(shop: &Shop, purchase: &Purchase) -> Option<String> {
    let payment = shop.payment(&purchase.order_id.to_string()).await;
    let amounts = ["amount_ore", "authorized_ore", "captured_ore"];
    let full = amounts.iter().all(|name| payment[name] == purchase.total_ore);
    let nothing_back =
        payment["cancelled_ore"] == 0 && payment["refunded_ore"] == 0 && payment["refunds"] == 0;
    let once = payment["captures"] == 1;
    (!full || !nothing_back || !once).then(|| format!("payment: {} was paid {payment}", purchase.key))
}
