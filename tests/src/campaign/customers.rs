//! The load: customers in an open loop, who come regardless of the system's state and give up when it takes too long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::dice::Dice;
use crate::purchase::{Purchase, order_of, send, worth_another_try};
use crate::{Answer, Shop};

/// Customers at once; one more is turned away and counted.
const MOST_AT_ONCE: usize = 256;
/// The longest gap between two customers, in mean gaps.
const LONGEST_GAP: f64 = 5.0;

/// Retries and time limits of a customer.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// How often an order is sent before its customer gives up.
    pub(super) tries: u32,
    /// How long each try may take.
    pub(super) one_try: Duration,
    /// The pause after the first try, doubled after each further one.
    pub(super) pause: Duration,
    /// How long everything after the acknowledgement may take.
    pub(super) rest: Duration,
}

/// An ordinary customer.
const USUAL: Patience = Patience {
    tries: 4,
    one_try: Duration::from_secs(4),
    pause: Duration::from_millis(250),
    rest: Duration::from_mins(1),
};
/// A customer who sends the order once and waits briefly, so that the outcome is more often unknown.
const IMPATIENT: Patience = Patience {
    tries: 1,
    one_try: Duration::from_millis(400),
    ..USUAL
};
/// One customer in this number is impatient.
const ONE_IN: usize = 4;
/// Of this number of customers, one repeats an acknowledged order under its key, and another reloads the page, which makes
/// a new key for the same holder, type and day.
const HABITS: usize = 8;
const REPEATS: usize = 3;
const RELOADS: usize = 5;

/// The outcome of sending an order.
pub(super) enum Placed {
    /// 201.
    Acknowledged(Purchase),
    /// 200: the order was placed under this key and has ended without a license.
    Over,
    /// Refused for good.
    Refused(String),
    /// No answer.
    Unknown,
}

/// The outcome of one customer's visit.
struct Visit {
    key: String,
    number: usize,
    placed: Placed,
    /// From the first try to the acknowledgement.
    took: Duration,
    approved: bool,
    read_back: bool,
    /// The complaint about the answers to a repeated order.
    again: Option<String>,
}

/// The outcomes of all visits.
#[derive(Default)]
pub(super) struct Ledger {
    /// Customers who came.
    pub(super) offered: usize,
    /// Of these, turned away because too many were there.
    pub(super) shed: usize,
    /// What the API said to those it refused for good.
    pub(super) refused: Vec<String>,
    /// Acknowledged, and whether the payment was approved.
    pub(super) acknowledged: Vec<(Purchase, bool)>,
    /// Acknowledged, paid, and read back as fulfilled.
    pub(super) read_back: usize,
    /// Keys of those who gave up, with the numbers of their orders.
    pub(super) unknown: Vec<(String, usize)>,
    /// How long each acknowledgement took, retries included.
    pub(super) took: Vec<Duration>,
}

/// Lets customers in until `closing`, about `rate` a second, and waits until the last has left.
pub(super) async fn serve(shop: Arc<Shop>, seed: u64, rate: f64, closing: CancellationToken) -> Ledger {
    // Other dice than the schedule's, so that faults do not depend on the number of customers.
    let mut dice = Dice::new(!seed);
    let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut visits = JoinSet::new();
    let mut ledger = Ledger::default();
    let mut due = Instant::now();
    loop {
        // Exponential gaps: customers don't know of each other.
        due += Duration::from_secs_f64((-dice.part().ln()).min(LONGEST_GAP) / rate);
        tokio::select! {
            () = closing.cancelled() => break,
            () = sleep_until(due) => {}
        }
        while let Some(visit) = visits.try_join_next() {
            ledger.enter(visit);
        }
        let number = ledger.offered;
        ledger.offered += 1;
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            ledger.shed += 1;
            continue;
        };
        let shop = Arc::clone(&shop);
        visits.spawn(async move {
            let visit = buy(&shop, format!("purchase-{number}"), number).await;
            drop(place);
            visit
        });
    }
    while let Some(visit) = visits.join_next().await {
        ledger.enter(visit);
    }
    ledger
}

impl Ledger {
    fn enter(&mut self, visit: Result<Visit, tokio::task::JoinError>) {
        // A panic means an answer that no customer can read.
        let visit = visit.expect("a visit");
        self.read_back += usize::from(visit.read_back);
        self.refused.extend(visit.again);
        match visit.placed {
            Placed::Acknowledged(purchase) => {
                self.took.push(visit.took);
                self.acknowledged.push((purchase, visit.approved));
            }
            Placed::Refused(why) => self.refused.push(format!("{}: {why}", visit.key)),
            Placed::Over | Placed::Unknown => self.unknown.push((visit.key, visit.number)),
        }
    }
}

async fn buy(shop: &Shop, key: String, number: usize) -> Visit {
    let began = Instant::now();
    let patience = if number.is_multiple_of(ONE_IN) {
        IMPATIENT
    } else {
        USUAL
    };
    let placed = place(shop, &key, number, patience).await;
    let mut visit = Visit {
        key,
        number,
        took: began.elapsed(),
        placed,
        approved: false,
        read_back: false,
        again: None,
    };
    if let Placed::Acknowledged(purchase) = &visit.placed {
        let deadline = Instant::now() + USUAL.rest;
        visit.again = match number % HABITS {
            REPEATS => repeat(shop, purchase, number).await,
            RELOADS => reload(shop, purchase, number).await,
            _ => None,
        };
        visit.approved = approve(shop, purchase, deadline).await;
        visit.read_back = visit.approved && read_back(shop, purchase, deadline).await;
    }
    visit
}

/// Repeats the key and returns a complaint unless the answer is the same, byte for byte.
async fn repeat(shop: &Shop, purchase: &Purchase, number: usize) -> Option<String> {
    match place(shop, &purchase.key, number, USUAL).await {
        Placed::Acknowledged(again) if again.answer == purchase.answer => None,
        Placed::Acknowledged(again) => Some(format!(
            "{} was told {} and, again, {}",
            purchase.key, purchase.answer, again.answer
        )),
        Placed::Refused(why) => Some(format!("{} again: {why}", purchase.key)),
        Placed::Over => Some(format!("{} again: it is over", purchase.key)),
        Placed::Unknown => None,
    }
}

/// Sends another key for the same holder, type and day, which must be refused, since the first order holds the day. The
/// audit would report an order of that key as unknown.
async fn reload(shop: &Shop, purchase: &Purchase, number: usize) -> Option<String> {
    let key = format!("reloaded-{number}");
    match place(shop, &key, number, USUAL).await {
        Placed::Refused(why) if why.contains("license_exists") => None,
        Placed::Refused(why) => Some(format!("{key}: {why}")),
        Placed::Acknowledged(second) => Some(format!(
            "{key}: {} has the day of {} as well",
            second.order_id, purchase.order_id
        )),
        Placed::Over | Placed::Unknown => None,
    }
}

/// Sends an order until it is acknowledged or refused, or patience ends. Goes to the other instance after each failure.
pub(super) async fn place(shop: &Shop, key: &str, number: usize, patience: Patience) -> Placed {
    let order = order_of(shop, number);
    let first = shop.system.command_api_url();
    let second = shop.system.second_command_api_url();
    let urls = [Some(first), second];
    let urls: Vec<&String> = urls.iter().flatten().collect();
    let mut pause = patience.pause;
    for attempt in 0..patience.tries {
        if attempt > 0 {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        let url = urls[(number + attempt as usize) % urls.len()];
        match send(shop, url, key, &order, patience.one_try).await {
            Ok(answer) if answer.status == 201 => {
                return Placed::Acknowledged(Purchase::acknowledged(key, &order, &answer));
            }
            Ok(answer) if answer.status == 200 => return Placed::Over,
            Ok(answer) if !worth_another_try(&answer) => {
                return Placed::Refused(format!("{} {}", answer.status, answer.text));
            }
            Ok(_) | Err(_) => {}
        }
    }
    Placed::Unknown
}

/// Approves at the provider until that succeeds. Approving twice is harmless.
pub(super) async fn approve(shop: &Shop, purchase: &Purchase, deadline: Instant) -> bool {
    let Some(page) = redirect_url(purchase) else {
        return false;
    };
    until(deadline, async || {
        let approval = shop
            .http()
            .post(format!("{page}/approve"))
            .header("Accept", "application/json")
            .timeout(Duration::from_secs(2));
        approval
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    })
    .await
}

/// The outcome of paying for an order that was placed some time ago.
pub(super) enum Payment {
    /// The provider accepted.
    Approved,
    /// The order's time had run out.
    TooLate,
    /// Neither.
    Refused,
}

/// Pays as [`approve`] does, unless the order is over.
pub(super) async fn pay(shop: &Shop, purchase: &Purchase, deadline: Instant) -> Payment {
    loop {
        let one_try = deadline.min(Instant::now() + Duration::from_secs(1));
        if approve(shop, purchase, one_try).await {
            return Payment::Approved;
        }
        if status(shop, purchase)
            .await
            .is_some_and(|status| status == "expired")
        {
            return Payment::TooLate;
        }
        if Instant::now() >= deadline {
            return Payment::Refused;
        }
    }
}

/// Reads the order until it is fulfilled.
pub(super) async fn read_back(shop: &Shop, purchase: &Purchase, deadline: Instant) -> bool {
    until(deadline, async || {
        status(shop, purchase)
            .await
            .is_some_and(|status| status == "fulfilled")
    })
    .await
}

async fn status(shop: &Shop, purchase: &Purchase) -> Option<String> {
    let (api, order) = (shop.system.query_api_url(), purchase.order_id);
    let question = shop
        .http()
        .get(format!("{api}/api/v1/orders/{order}"))
        .bearer_auth(&shop.tokens.customer)
        .timeout(Duration::from_secs(2));
    let Answer { body, .. } = crate::answer(question).await.ok()?;
    Some(body["status"].as_str()?.to_owned())
}

fn redirect_url(purchase: &Purchase) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(&purchase.answer).ok()?;
    Some(answer.pointer("/payment/redirect_url")?.as_str()?.to_owned())
}

/// Polls, first at once and then less often, until the answer is yes or the deadline is over.
async fn until<Answered: Future<Output = bool>>(deadline: Instant, ask: impl Fn() -> Answered) -> bool {
    let mut pause = Duration::from_millis(40);
    loop {
        if ask().await {
            return true;
        }
        if Instant::now() + pause > deadline {
            return false;
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}
