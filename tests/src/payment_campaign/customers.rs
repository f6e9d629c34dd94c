//! What the customers of the payment campaign do: order, try again, approve, decline, cancel, or leave.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Plan;
use crate::campaign::dice::Dice;
use crate::purchase::{order_of, send, worth_another_try};
use crate::{Answer, Shop};

/// How often an order is sent before its customer leaves.
const TRIES: usize = 12;
/// How long each try may take.
const ONE_TRY: Duration = Duration::from_secs(15);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// How often the customer presses the button on the provider's page.
const PRESSES: usize = 4;

/// What became of the customers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Customers {
    /// They came.
    pub came: usize,
    /// An order was acknowledged with a page to pay on.
    pub acknowledged: usize,
    /// The order was over when it was answered.
    pub over: usize,
    /// The provider refused the payment for good.
    pub refused_by_provider: usize,
    /// No answer in time, although they tried again and again.
    pub unanswered: usize,
    /// Approved on the provider's page; the emulator may have done something else.
    pub approved: usize,
    /// Declined there.
    pub declined: usize,
    /// Cancelled in the shop, while a payment might be approved.
    pub cancelled: usize,
    /// Left without a word.
    pub left: usize,
}

/// What a customer has in mind.
#[derive(Clone, Copy)]
enum Mind {
    Pay,
    /// Presses the button on the page twice, and reloads the order.
    PayTwice,
    Decline,
    CancelAndPay,
    Leave,
}

/// All customers, some at once.
pub(super) async fn sell(shop: &Shop, plan: &Plan, tell: impl Fn(usize)) -> anyhow::Result<Customers> {
    let mut dice = Dice::new(plan.seed);
    let minds = (0..plan.purchases).map(|number| {
        let mind = match dice.between(1, 100) {
            1..=78 => Mind::Pay,
            79..=85 => Mind::PayTwice,
            86..=89 => Mind::Decline,
            90..=94 => Mind::CancelAndPay,
            _ => Mind::Leave,
        };
        (number, mind)
    });
    let minds: Vec<_> = minds.collect();
    let mut served = stream::iter(minds)
        .map(|(number, mind)| serve(shop, number, mind))
        .buffer_unordered(plan.at_once);
    let mut customers = Customers::default();
    while let Some(outcome) = served.next().await {
        customers.came += 1;
        outcome?.add_to(&mut customers);
        tell(customers.came);
    }
    Ok(customers)
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is counted by itself")]
struct Outcome {
    acknowledged: bool,
    over: bool,
    refused: bool,
    approved: bool,
    declined: bool,
    cancelled: bool,
    left: bool,
}

impl Outcome {
    fn add_to(&self, customers: &mut Customers) {
        for (happened, count) in [
            (self.acknowledged, &mut customers.acknowledged),
            (self.over, &mut customers.over),
            (self.refused, &mut customers.refused_by_provider),
            (self.approved, &mut customers.approved),
            (self.declined, &mut customers.declined),
            (self.cancelled, &mut customers.cancelled),
            (self.left, &mut customers.left),
        ] {
            *count += usize::from(happened);
        }
        let answered = self.acknowledged || self.over || self.refused;
        customers.unanswered += usize::from(!answered);
    }
}

async fn serve(shop: &Shop, number: usize, mind: Mind) -> anyhow::Result<Outcome> {
    let mut order = order_of(shop, number);
    order["payment_provider"] = json!(if number.is_multiple_of(2) { "vipps" } else { "nexi" });
    let key = format!("customer-{number}");
    let mut outcome = Outcome::default();
    let Some(placed) = place(shop, &key, number, &order).await? else {
        return Ok(outcome);
    };
    match placed.status.as_u16() {
        201 => outcome.acknowledged = true,
        200 => outcome.over = true,
        _ => outcome.refused = true,
    }
    let page = placed
        .body
        .pointer("/payment/redirect_url")
        .and_then(Value::as_str);
    let Some(page) = page else { return Ok(outcome) };
    match mind {
        Mind::Pay => outcome.approved = press(shop, page, "approve").await,
        Mind::PayTwice => {
            let (first, second) = tokio::join!(press(shop, page, "approve"), press(shop, page, "approve"));
            outcome.approved = first || second;
            place(shop, &key, number + 1, &order).await?;
        }
        Mind::Decline => outcome.declined = press(shop, page, "decline").await,
        Mind::CancelAndPay => {
            let order_id = placed.text_at("/order_id").to_owned();
            let (cancelled, approved) =
                tokio::join!(cancel(shop, &order_id, number), press(shop, page, "approve"));
            (outcome.cancelled, outcome.approved) = (cancelled, approved);
        }
        Mind::Leave => outcome.left = true,
    }
    Ok(outcome)
}

/// Sends the order until it is answered for good, to the other instance after each failure. An answer that is wrong in any
/// case is an error.
async fn place(shop: &Shop, key: &str, number: usize, order: &Value) -> anyhow::Result<Option<Answer>> {
    for attempt in 0..TRIES {
        let url = instance(shop, number + attempt);
        match send(shop, &url, key, order, ONE_TRY).await {
            Ok(answer) if answer.status.is_success() => return Ok(Some(answer)),
            Ok(answer) if answer.body["code"] == "payment_provider_refused" => return Ok(Some(answer)),
            Ok(answer) if !worth_another_try(&answer) => {
                anyhow::bail!("{key} was refused: {} {}", answer.status, answer.text)
            }
            Ok(_) | Err(_) => sleep(PAUSE).await,
        }
    }
    Ok(None)
}

/// Presses a button on the provider's page until it works or clearly does not.
async fn press(shop: &Shop, page: &str, button: &str) -> bool {
    for _ in 0..PRESSES {
        let request = shop
            .http()
            .post(format!("{page}/{button}"))
            .header("Accept", "application/json");
        match crate::answer(request.timeout(ONE_TRY)).await {
            Ok(answer) if answer.status.is_success() => return true,
            Ok(answer) if answer.status.is_client_error() => return false,
            Ok(_) | Err(_) => sleep(PAUSE).await,
        }
    }
    false
}

async fn cancel(shop: &Shop, order_id: &str, number: usize) -> bool {
    for attempt in 0..TRIES {
        let url = instance(shop, number + attempt);
        let request = shop
            .http()
            .post(format!("{url}/api/v1/orders/{order_id}/cancel"))
            .bearer_auth(&shop.tokens.customer)
            .header("Idempotency-Key", format!("cancel-{order_id}"))
            .json(&json!({}));
        match crate::answer(request.timeout(ONE_TRY)).await {
            Ok(answer) if answer.status.is_success() => return true,
            Ok(answer) if !worth_another_try(&answer) => return false,
            Ok(_) | Err(_) => sleep(PAUSE).await,
        }
    }
    false
}

/// One of the two instances.
pub(super) fn instance(shop: &Shop, number: usize) -> String {
    let second = shop.system.second_command_api_url();
    match second {
        Some(url) if number % 2 == 1 => url,
        _ => shop.system.command_api_url(),
    }
}
