//! The provider: each purchase paid once, in full, and collected once; nothing collected for abandoned orders.

use futures_util::StreamExt;
use uuid::Uuid;

use crate::Shop;
use crate::purchase::Purchase;

/// How many payments are read at once.
const AT_ONCE: usize = 8;

pub(super) async fn complaints(shop: &Shop, purchases: &[Purchase], unpaid: &[Uuid]) -> Vec<String> {
    let paid = futures_util::stream::iter(purchases)
        .map(|purchase| complaint(shop, purchase))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect::<Vec<String>>();
    let unpaid = futures_util::stream::iter(unpaid)
        .map(|order_id| complaint_of_unpaid(shop, *order_id))
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect::<Vec<String>>();
    [paid.await, unpaid.await].concat()
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

/// The complaint about an abandoned order with money taken. There may be no payment at all, and then no amounts.
async fn complaint_of_unpaid(shop: &Shop, order_id: Uuid) -> Option<String> {
    let payment = shop.payment(&order_id.to_string()).await;
    let taken = ["authorized_ore", "captured_ore"]
        .iter()
        .any(|name| payment[name].as_i64().unwrap_or(0) != 0);
    taken.then(|| format!("payment: unpaid order {order_id}, and yet {payment}"))
}
