//! Which payment is an order's payment: at Vipps the one that was decided with the order, at any other provider the first
//! one that is recorded.

use cqrs_es::Aggregate;
use events::{OrderEvent, OrderPaid, PaymentRequested};
use vocabulary::PaymentProvider;

use super::{ORDER, expect, expect_refusal, now, pending, place, placed};
use crate::Refusal;
use crate::orders::{Order, OrderCommand};

fn of_nexi() -> OrderEvent {
    let mut place = place(vec![super::line()]);
    place.payment_provider = PaymentProvider::Nexi;
    place.check().unwrap().into()
}

fn requested(payment_id: &str) -> PaymentRequested {
    PaymentRequested {
        provider: "nexi".into(),
        reference: payment_id.into(),
        redirect_url: format!("https://pay.example/{payment_id}"),
        amount_ore: 42_000,
    }
}

fn request(payment_id: &str) -> OrderCommand {
    OrderCommand::RequestPayment {
        payment_id: payment_id.into(),
        redirect_url: format!("https://pay.example/{payment_id}"),
    }
}

fn confirm(payment_id: &str) -> OrderCommand {
    OrderCommand::ConfirmPayment {
        reference: payment_id.into(),
        authorized_ore: 42_000,
        now: now(),
        days_taken: false,
    }
}

fn after(events: Vec<OrderEvent>) -> Order {
    let mut order = Order::default();
    for event in events {
        order.apply(event);
    }
    order
}

#[test]
fn an_order_of_vipps_has_its_payment_from_the_start() {
    assert_eq!(after(vec![]).payment_id(), None);
    let decided = ORDER.to_string();
    assert_eq!(after(vec![placed().into()]).payment_id(), Some(decided.as_str()));
    assert_eq!(after(pending()).payment_id(), Some(decided.as_str()));
}

#[test]
fn an_order_of_nexi_has_the_payment_that_is_recorded_first() {
    assert_eq!(after(vec![of_nexi()]).payment_id(), None);
    expect(vec![of_nexi()], request("first"), vec![requested("first").into()]);
    let given = vec![of_nexi(), requested("first").into()];
    expect(given.clone(), request("second"), vec![]);
    let order = after(given);
    assert_eq!(order.payment_id(), Some("first"));
    assert_eq!(order.redirect_url(), Some("https://pay.example/first"));
}

#[test]
fn only_the_recorded_payment_pays_the_order() {
    let given = vec![of_nexi(), requested("first").into()];
    for other in ["second", &ORDER.to_string(), ""] {
        expect_refusal(given.clone(), confirm(other), Refusal::PaymentMismatch);
    }
    expect_refusal(vec![of_nexi()], confirm("first"), Refusal::PaymentMismatch);
    let paid = OrderPaid {
        provider: "nexi".into(),
        reference: "first".into(),
        authorized_ore: 42_000,
    };
    expect(given, confirm("first"), vec![paid.into()]);
}
