//! The provider's books against the log, order by order and to the øre.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;
use uuid::Uuid;

use super::report::{Money, Report};
use crate::Shop;
use crate::books::connect;

/// An order by the log.
#[derive(Clone, Debug, Default)]
struct Order {
    provider: String,
    total_ore: i64,
    /// The payment that was recorded first.
    payment_id: String,
    captured_ore: i64,
    refunded_ore: i64,
    status: &'static str,
    licenses: usize,
    written_off: bool,
}

/// A payment by the provider.
#[derive(Clone, Debug)]
struct Payment {
    id: String,
    state: String,
    authorized_ore: i64,
    captured_ore: i64,
    cancelled_ore: i64,
    refunded_ore: i64,
}

impl Payment {
    fn read(payment: &Value) -> Option<(Uuid, Self)> {
        let sum = |name: &str| payment[name].as_i64();
        let read = Self {
            id: payment["payment_id"].as_str()?.to_owned(),
            state: payment["state"].as_str()?.to_owned(),
            authorized_ore: sum("authorized_ore")?,
            captured_ore: sum("captured_ore")?,
            cancelled_ore: sum("cancelled_ore")?,
            refunded_ore: sum("refunded_ore")?,
        };
        Some((payment["reference"].as_str()?.parse().ok()?, read))
    }

    /// What was taken and not given back.
    fn kept(&self) -> i64 {
        self.captured_ore - self.refunded_ore
    }

    /// What is reserved and can be taken.
    fn collectable(&self) -> i64 {
        match self.state.as_str() {
            "AUTHORIZED" => (self.authorized_ore - self.captured_ore - self.cancelled_ore).max(0),
            _ => 0,
        }
    }
}

/// Fills the report with sums and complaints.
pub(super) async fn audit(shop: &Shop, report: &mut Report) -> anyhow::Result<()> {
    let orders = orders(shop).await?;
    let payments = payments(shop).await?;
    for order in orders.values() {
        *report.statuses.entry(order.status.to_owned()).or_insert(0) += 1;
        let money = report.money.entry(order.provider.clone()).or_default();
        money.orders += 1;
        money.captured_by_log_ore += order.captured_ore;
        money.refunded_by_log_ore += order.refunded_ore;
        report.licenses += order.licenses;
    }
    let none = Vec::new();
    for (order_id, order) in &orders {
        let theirs = payments.get(order_id).unwrap_or(&none);
        let money = report.money.entry(order.provider.clone()).or_default();
        count(money, theirs);
        let wrong = complaints(order, theirs);
        report.complaints.extend(
            wrong
                .into_iter()
                .map(|what| format!("order {order_id} ({}): {what}", order.provider)),
        );
    }
    for (order_id, payments) in &payments {
        if !orders.contains_key(order_id) {
            report
                .complaints
                .push(format!("payments without an order: {order_id} {payments:?}"));
        }
    }
    for (provider, money) in &report.money {
        if !money.agree() {
            report
                .complaints
                .push(format!("the books of {provider} are not the log's: {money:?}"));
        }
    }
    Ok(())
}

fn count(money: &mut Money, payments: &[Payment]) {
    for payment in payments {
        money.payments += 1;
        money.captured_by_provider_ore += payment.captured_ore;
        money.refunded_by_provider_ore += payment.refunded_ore;
    }
    money.more_than_one_payment += usize::from(payments.len() > 1);
}

/// Everything that is wrong with an order and its payments.
fn complaints(order: &Order, payments: &[Payment]) -> Vec<String> {
    let mut wrong = Vec::new();
    let charged = payments.iter().filter(|payment| payment.captured_ore > 0).count();
    if charged > 1 {
        wrong.push(format!("charged {charged} times: {payments:?}"));
    }
    let captured: i64 = payments.iter().map(|payment| payment.captured_ore).sum();
    if captured > order.total_ore.max(order.captured_ore) {
        wrong.push(format!("{captured} øre were taken of {}", order.total_ore));
    }
    let own = payments.iter().find(|payment| payment.id == order.payment_id);
    let (kept, collectable) = own.map_or((0, 0), |own| (own.kept(), own.collectable()));
    let strays: i64 = payments
        .iter()
        .filter(|payment| payment.id != order.payment_id)
        .map(|payment| payment.kept() + payment.collectable())
        .sum();
    if strays > 0 {
        wrong.push(format!("{strays} øre are held by other payments: {payments:?}"));
    }
    if order.licenses > 0 && kept + collectable == 0 && !order.written_off {
        wrong.push(format!("{} licenses without money: {own:?}", order.licenses));
    }
    if order.licenses == 0 && kept + collectable > 0 {
        wrong.push(format!(
            "{kept} øre kept and {collectable} held, and no license: {own:?}"
        ));
    }
    if let Some(own) = own
        && (own.captured_ore, own.refunded_ore) != (order.captured_ore, order.refunded_ore)
    {
        let log = (order.captured_ore, order.refunded_ore);
        wrong.push(format!(
            "captured and refunded by the log {log:?}, by the provider {own:?}"
        ));
    }
    if matches!(
        order.status,
        "placed" | "payment_pending" | "paid" | "refund_pending"
    ) {
        wrong.push(format!("it is still {}", order.status));
    }
    wrong
}

/// Every order by its events.
async fn orders(shop: &Shop) -> anyhow::Result<BTreeMap<Uuid, Order>> {
    let log = connect(&shop.system.databases().events_reader).await;
    let sql = "select aggregate_id, event_type, payload::text from events where aggregate_type = 'order' order by position";
    let mut orders: BTreeMap<Uuid, Order> = BTreeMap::new();
    for row in log.query(sql, &[]).await? {
        let (id, event_type, payload): (Uuid, String, String) = (row.get(0), row.get(1), row.get(2));
        let payload: Value = serde_json::from_str(&payload)?;
        apply(orders.entry(id).or_default(), &event_type, &payload);
    }
    let valid = "select (issued.payload::json ->> 'order_id')::uuid, count(*) from events issued
        where issued.event_type = 'LicenseIssued' and not exists (select from events ended
            where ended.aggregate_type = issued.aggregate_type and ended.aggregate_id = issued.aggregate_id
              and ended.event_type = 'LicenseRevoked')
        group by 1";
    for row in log.query(valid, &[]).await? {
        let (order_id, count): (Uuid, i64) = (row.get(0), row.get(1));
        orders.entry(order_id).or_default().licenses = usize::try_from(count)?;
    }
    Ok(orders)
}

fn apply(order: &mut Order, event_type: &str, payload: &Value) {
    let sum = |name: &str| payload[name].as_i64().unwrap_or(0);
    let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
    match event_type {
        "OrderPlaced" => {
            order.provider = text("payment_provider");
            order.total_ore = sum("total_ore");
            if order.provider == "vipps" {
                order.payment_id = text("payment_reference");
            }
            order.status = "placed";
        }
        "PaymentRequested" => {
            order.payment_id = text("reference");
            order.status = "payment_pending";
        }
        "OrderPaid" => order.status = "paid",
        "OrderFulfilled" => order.status = "fulfilled",
        "PaymentCaptured" => {
            order.captured_ore = sum("captured_ore");
            order.status = "fulfilled";
        }
        "CaptureFailed" => {
            (order.captured_ore, order.refunded_ore) = (sum("collected_ore"), sum("refunded_ore"));
            order.status = "capture_failed";
        }
        "CaptureResolved" => {
            order.written_off = payload["action"] == "write_off";
            order.status = match payload["action"].as_str() {
                Some("revoke") => "refund_pending",
                _ => "fulfilled",
            };
        }
        "PaymentReconciled" | "LinesRefunded" | "RefundFailed" => {
            (order.captured_ore, order.refunded_ore) = (sum("captured_ore"), sum("refunded_ore"));
        }
        "OrderCancelled" | "OrderCancelledByCustomer" => order.status = "cancelled",
        "OrderExpired" => order.status = "expired",
        "RefundRequested" => order.status = "refund_pending",
        "OrderRefunded" => {
            order.refunded_ore = sum("refunded_ore");
            order.status = "refunded";
        }
        _ => {}
    }
}

/// Every payment of the emulator, by our reference.
async fn payments(shop: &Shop) -> anyhow::Result<BTreeMap<Uuid, Vec<Payment>>> {
    let mut payments: BTreeMap<Uuid, Vec<Payment>> = BTreeMap::new();
    let mut after = Some(0);
    while let Some(from) = after {
        let url = format!(
            "{}/emulator/books?after={from}",
            shop.system.payment_emulator_url()
        );
        let page = crate::answer(shop.http().get(url)).await?.body;
        for payment in page["payments"].as_array().context("payments")? {
            let (order_id, payment) =
                Payment::read(payment).with_context(|| format!("not a payment: {payment}"))?;
            payments.entry(order_id).or_default().push(payment);
        }
        after = page["next"].as_u64();
    }
    Ok(payments)
}

#[cfg(test)]
mod tests {
    use super::{Order, Payment, complaints};

    fn order() -> Order {
        Order {
            provider: "nexi".into(),
            total_ore: 42_000,
            payment_id: "own".into(),
            captured_ore: 42_000,
            status: "fulfilled",
            licenses: 1,
            ..Order::default()
        }
    }

    fn payment(payment_id: &str, authorized_ore: i64, captured_ore: i64) -> Payment {
        Payment {
            id: payment_id.into(),
            state: "AUTHORIZED".into(),
            authorized_ore,
            captured_ore,
            cancelled_ore: 0,
            refunded_ore: 0,
        }
    }

    #[test]
    fn each_check_finds_its_fault() {
        let whole = payment("own", 42_000, 42_000);
        assert_eq!(
            complaints(&order(), std::slice::from_ref(&whole)),
            Vec::<String>::new()
        );
        let finds = |order: Order, payments: &[Payment], what: &str| {
            let found = complaints(&order, payments);
            assert!(
                found.iter().any(|complaint| complaint.contains(what)),
                "{what}: {found:?}"
            );
        };
        finds(
            order(),
            &[whole.clone(), payment("b", 42_000, 42_000)],
            "charged 2 times",
        );
        finds(
            order(),
            &[whole.clone(), payment("b", 42_000, 0)],
            "other payments",
        );
        finds(order(), &[payment("own", 84_000, 84_000)], "were taken of");
        finds(order(), &[payment("own", 0, 0)], "licenses without money");
        finds(order(), &[payment("own", 42_000, 41_999)], "by the log");
        let without = Order {
            licenses: 0,
            ..order()
        };
        finds(without, std::slice::from_ref(&whole), "no license");
        let waiting = Order {
            status: "paid",
            ..order()
        };
        finds(waiting, &[whole], "still paid");
    }
}
