//! Refunds add up, whatever is asked for in whatever order and whatever the workers knew.

use std::collections::BTreeSet;
use std::sync::Arc;

use events::{OrderEvent, RefundFailure};
use proptest::prelude::*;
use vocabulary::{OrderStatus, RefundState};

use super::ORDER;
use super::refunding::{asked, issued, of_prices, order, policy, reconcile};
use crate::orders::{OrderCommand, PaymentBooks, RefundStep, RequestRefund};

/// What a provider's books and the shop do to one payment.
#[derive(Clone, Debug)]
enum Act {
    Ask(Vec<u16>),
    AskAll,
    /// The capture of an order as it was loaded that number of events ago.
    Capture(usize),
    /// One step of the refund, by an order that was loaded that number of events ago.
    Refund(usize),
    Fail,
    Reconcile,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => prop::collection::vec(1_u16..=4, 1..3).prop_map(Act::Ask),
        1 => Just(Act::AskAll),
        2 => (0_usize..3).prop_map(Act::Capture),
        4 => (0_usize..3).prop_map(Act::Refund),
        1 => Just(Act::Fail),
        2 => Just(Act::Reconcile),
    ]
}

/// A payment in the provider's books, which never gives more than there is.
struct Provider(PaymentBooks);

impl Provider {
    fn capture(&mut self, amount: i64) {
        if amount > 0 && amount <= self.0.collectable_ore {
            self.0.captured_ore += amount;
            self.0.collectable_ore -= amount;
        }
    }

    fn pay_back(&mut self, amount: i64) {
        if amount > 0 && amount <= self.0.captured_ore - self.0.refunded_ore {
            self.0.refunded_ore += amount;
        }
    }

    fn release(&mut self) {
        self.0.cancelled_ore += self.0.collectable_ore;
        self.0.collectable_ore = 0;
    }

    fn step(&mut self, step: RefundStep) {
        match step {
            RefundStep::Collect(amount) => self.capture(amount),
            RefundStep::PayBack(amount) => self.pay_back(amount),
            RefundStep::Release => self.release(),
            RefundStep::Wait | RefundStep::Done => {}
        }
    }
}

proptest! {
    /// Whatever is asked for in whatever order, also by workers that loaded the order before others changed it: no more goes
    /// back than came, each line once, and at the end the shop keeps exactly what was not given back.
    #[test]
    fn refunds_add_up_to_the_ore(
        prices in prop::collection::vec(1_i64..=99_999, 1..=4),
        share in prop_oneof![Just(1000_u16), 0_u16..=1000],
        acts in prop::collection::vec(act(), 1..24),
    ) {
        let placed = of_prices(&prices);
        let total = placed.total_ore;
        let mut events = issued(placed);
        let start = events.len();
        let mut provider = Provider(PaymentBooks {
            reference: ORDER.to_string(),
            captured_ore: 0,
            refunded_ore: 0,
            cancelled_ore: 0,
            collectable_ore: total,
        });
        let ask = |lines| OrderCommand::RequestRefund(Box::new(RequestRefund {
            policy: Arc::new(policy(share)),
            ..asked(lines)
        }));
        let settle = [Act::Capture(0), Act::Reconcile, Act::Refund(0), Act::Reconcile];
        let settle = settle.iter().cycle().take(16).cloned();
        for act in acts.into_iter().chain(settle) {
            let old = |ago: usize| order(&events[..events.len().saturating_sub(ago).max(start)]);
            let command = match act {
                Act::Ask(lines) => Some(ask(Some(lines))),
                Act::AskAll => Some(ask(None)),
                Act::Capture(ago) => {
                    if let Some(amount) = old(ago).to_collect(&provider.0) {
                        provider.capture(amount);
                    }
                    None
                }
                Act::Refund(ago) => {
                    // A release is asked for only by an order that knows of every refund: an older one waits for its capture.
                    provider.step(old(ago).refund_step(&provider.0));
                    None
                }
                Act::Fail => Some(OrderCommand::RecordRefundFailure {
                    books: provider.0.clone(),
                    reason: RefundFailure::Refused,
                }),
                Act::Reconcile => Some(reconcile(&provider.0)),
            };
            if let Some(Ok(decided)) = command.map(|command| order(&events).decide(command)) {
                events.extend(decided);
            }
            prop_assert!(provider.0.refunded_ore <= provider.0.captured_ore);
        }
        let order = order(&events);
        let back: i64 = order.refunds().map(|(_, amount, _)| amount).sum();
        for (line, amount, state) in order.refunds() {
            let price = prices[usize::from(line) - 1];
            prop_assert_eq!(amount, price * i64::from(share) / 1000);
            prop_assert_eq!(state, RefundState::Refunded);
        }
        prop_assert_eq!(provider.0.captured_ore - provider.0.refunded_ore, total - back, "{:?}", provider.0);
        prop_assert_eq!(provider.0.collectable_ore, 0);
        let all = order.refunds().count() == prices.len();
        let status = if all { OrderStatus::Refunded } else { OrderStatus::Fulfilled };
        prop_assert_eq!(order.status(), Some(status));
        let of_lines = events.iter().filter_map(|event| match event {
            OrderEvent::LineRefundsRequested(requested) => Some(requested.lines.iter().map(|line| line.line)),
            _ => None,
        });
        let of_lines: Vec<u16> = of_lines.flatten().collect();
        let distinct: BTreeSet<u16> = of_lines.iter().copied().collect();
        prop_assert_eq!(distinct.len(), of_lines.len(), "each line once");
    }
}
