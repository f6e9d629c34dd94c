//! The life of one order, decided when it is placed: what happens to it, and when.

use chrono::{DateTime, Days, TimeDelta, Utc};
use domain::{Letters, License, Order};
use envelope::{Metadata, Position};
use event_store::Member;
use uuid::Uuid;
use vocabulary::PaymentProvider;

use crate::calendar::{Placing, local};
use crate::dice::Dice;

/// How long an order may stay unpaid, as the shop has it by default.
pub(crate) const TIME_TO_PAY: TimeDelta = TimeDelta::minutes(15);

/// An order under way.
pub(crate) struct Purchase {
    pub(crate) order: Member<Order>,
    pub(crate) licenses: Vec<(u16, Member<License>)>,
    pub(crate) letters: Member<Letters>,
    pub(crate) customer_id: Uuid,
    pub(crate) provider: PaymentProvider,
    /// Where letters go, and whose address that is.
    pub(crate) address: Option<(Uuid, String)>,
    pub(crate) request_id: Uuid,
    /// The number of its first receipt.
    pub(crate) receipt: Option<String>,
    /// The numbers of the receipts that the next letters bring.
    pub(crate) unsent: Vec<String>,
    /// Position of its last event.
    pub(crate) cause: Position,
    /// What is still to happen, the last thing first.
    pub(crate) ahead: Vec<(DateTime<Utc>, Step)>,
}

/// What happens to an order.
#[derive(Clone)]
pub(crate) enum Step {
    RequestPayment,
    Cancel,
    Decline,
    Expire,
    Pay,
    Fulfill,
    SendLicenses,
    /// Collects the money and numbers the receipt.
    Capture,
    SendReceipt,
    /// Staff gives lines back, or all.
    Refund(Option<Vec<u16>>),
    PayBack,
    CheckIn(u16),
    /// Staff ends the validity of one license.
    Revoke(u16),
}

impl Purchase {
    /// Who asks for what follows, and because of what.
    pub(crate) fn metadata(&self, actor: &str, role: Option<&str>) -> Metadata {
        let caused = actor.starts_with("process:");
        Metadata {
            request_id: Some(self.request_id.to_string()),
            correlation_id: Some(self.request_id.to_string()),
            actor: Some(actor.to_owned()),
            actor_role: role.map(str::to_owned),
            causation_position: caused.then_some(self.cause),
            ..Metadata::default()
        }
    }
}

/// All that happens to an order of `lines` lines after it was placed, in the order of time.
pub(crate) fn steps(Placing { at, day }: Placing, lines: u16, dice: &mut Dice) -> Vec<(DateTime<Utc>, Step)> {
    let asked = at + dice.millis(150, 1_800);
    let mut steps = vec![(asked, Step::RequestPayment)];
    match dice.below(1000) {
        0..62 => steps.push((at + TIME_TO_PAY + dice.millis(500, 20_000), Step::Expire)),
        62..85 => steps.push((asked + dice.millis(8_000, 600_000), Step::Cancel)),
        85..105 => steps.push((asked + dice.millis(8_000, 300_000), Step::Decline)),
        _ => paid(asked, day, lines, &mut steps, dice),
    }
    // Stable: what follows at the same moment stays behind.
    steps.sort_by_key(|(at, _)| *at);
    steps
}

fn paid(
    asked: DateTime<Utc>,
    day: chrono::NaiveDate,
    lines: u16,
    steps: &mut Vec<(DateTime<Utc>, Step)>,
    dice: &mut Dice,
) {
    let paid = asked + dice.millis(9_000, 240_000);
    let issued = paid + dice.millis(15, 400);
    let captured = issued + dice.millis(120, 1_500);
    steps.push((paid, Step::Pay));
    steps.push((issued, Step::Fulfill));
    steps.push((issued + dice.millis(100, 2_500), Step::SendLicenses));
    steps.push((captured, Step::Capture));
    steps.push((captured + dice.millis(100, 2_500), Step::SendReceipt));

    let done = captured + TimeDelta::minutes(10);
    let refunded = refund(done, day, lines, steps, dice);
    for line in (1..=lines).filter(|line| !refunded.contains(line)) {
        let before = local(day, 0) - done;
        if before > TimeDelta::hours(6) && dice.happens(2) {
            steps.push((done + before / 2, Step::Revoke(line)));
        } else if dice.happens(930) {
            let let_in = (local(day, dice.between(25_200, 39_600)) + dice.millis(0, 999)).max(done);
            steps.push((let_in, Step::CheckIn(line)));
            if dice.happens(25) {
                steps.push((let_in + dice.millis(20_000, 5_400_000), Step::CheckIn(line)));
            }
        }
    }
}

/// The lines that are given back, before the day of the activity as the policy has it.
fn refund(
    done: DateTime<Utc>,
    day: chrono::NaiveDate,
    lines: u16,
    steps: &mut Vec<(DateTime<Utc>, Step)>,
    dice: &mut Dice,
) -> Vec<u16> {
    let last = local(day - Days::new(1), 82_000);
    let room = last - done;
    let (whole, some) = (dice.happens(30), lines > 1 && dice.happens(60));
    if room < TimeDelta::hours(1) || !(whole || some) {
        return Vec::new();
    }
    let given_back: Vec<u16> = if whole {
        (1..=lines).collect()
    } else {
        let count = 1 + dice.below(usize::from(lines - 1).min(2));
        (1..=lines).take(count).collect()
    };
    let at = done + dice.millis(0, room.num_milliseconds());
    let asked = (!whole).then(|| given_back.clone());
    let back = at + dice.millis(400, 4_000);
    steps.push((at, Step::Refund(asked)));
    steps.push((back, Step::PayBack));
    steps.push((back + dice.millis(100, 2_500), Step::SendReceipt));
    given_back
}
