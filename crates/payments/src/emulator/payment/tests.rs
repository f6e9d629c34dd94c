//! What may happen to a payment, and what may not.

use super::*;

const CANCEL: Request = Request::Cancel {
    only_if_not_authorized: false,
};

fn payment() -> Payment {
    let at = DateTime::<Utc>::UNIX_EPOCH;
    Payment::new(Creation {
        reference: "order-0001".to_owned(),
        idempotency_key: "order-0001".to_owned(),
        fingerprint: String::new(),
        amount_ore: 1000,
        description: String::new(),
        return_url: String::new(),
        psp_reference: Uuid::nil(),
        at,
        expires_at: at + chrono::TimeDelta::minutes(10),
        nexi: None,
    })
}

fn after(requests: &[Request]) -> Payment {
    let mut payment = payment();
    for (n, request) in requests.iter().enumerate() {
        ask(&mut payment, *request, &format!("key-{n}")).unwrap();
    }
    payment
}

fn ask(payment: &mut Payment, request: Request, key: &str) -> Result<Standing, OperationRefused> {
    match payment.decide(request, Some(key))? {
        Decision::Known(standing) => Ok(standing),
        Decision::Happens(name, amount_ore) => {
            let key = Key {
                value: key.to_owned(),
                request,
            };
            let at = payment.creation.at;
            payment.apply(Change {
                key: Some(key),
                charge: request.charge(),
                ..Change::new(name, amount_ore, at)
            });
            Ok(payment.now)
        }
    }
}

#[test]
fn captures_up_to_what_is_authorized() {
    let mut payment = after(&[Request::Approve, Request::Capture(400), Request::Capture(600)]);
    assert_eq!(payment.now.aggregate.captured_ore, 1000);
    assert_eq!(payment.now.state, State::Authorized);
    assert_eq!(
        ask(&mut payment, Request::Capture(1), "more").unwrap_err(),
        OperationRefused::ExceedsAuthorized
    );
}

#[test]
fn one_key_is_one_change() {
    let mut payment = after(&[Request::Approve]);
    for _ in 0..3 {
        assert_eq!(
            ask(&mut payment, Request::Capture(400), "k")
                .unwrap()
                .aggregate
                .captured_ore,
            400
        );
    }
    assert_eq!(
        ask(&mut payment, Request::Capture(401), "k").unwrap_err(),
        OperationRefused::KeyReused
    );
    assert_eq!(
        ask(&mut payment, Request::Refund(400), "k").unwrap_err(),
        OperationRefused::KeyReused
    );
    assert_eq!(payment.count(Name::Captured), 1);
}

#[test]
fn cancels_what_is_not_captured() {
    assert_eq!(after(&[CANCEL]).now.state, State::Terminated);
    assert_eq!(after(&[CANCEL]).now.aggregate.cancelled_ore, 1000);
    let payment = after(&[Request::Approve, Request::Capture(300), CANCEL]);
    assert_eq!(
        (payment.now.state, payment.now.aggregate.cancelled_ore),
        (State::Authorized, 700)
    );
}

#[test]
fn refuses_what_the_state_does_not_allow() {
    let approved = [Request::Approve];
    let taken = [Request::Approve, Request::Capture(1000)];
    let released = [Request::Approve, CANCEL];
    let returned = [Request::Approve, Request::Capture(500), Request::Refund(500)];
    let kind_cancel = Request::Cancel {
        only_if_not_authorized: true,
    };
    let cases: [(&[Request], Request, OperationRefused); 14] = [
        (&[], Request::Capture(1), OperationRefused::NotAuthorized),
        (&[], Request::Refund(1), OperationRefused::NotAuthorized),
        (&[CANCEL], Request::Approve, OperationRefused::NotWaiting),
        (&[CANCEL], CANCEL, OperationRefused::NotAuthorized),
        (
            &[Request::Decline],
            Request::Approve,
            OperationRefused::NotWaiting,
        ),
        (
            &[Request::Decline],
            Request::Capture(1),
            OperationRefused::NotAuthorized,
        ),
        (&approved, Request::Decline, OperationRefused::NotWaiting),
        (&approved, Request::Capture(0), OperationRefused::Amount),
        (&approved, Request::Capture(-5), OperationRefused::Amount),
        (
            &approved,
            Request::Capture(i64::MAX),
            OperationRefused::ExceedsAuthorized,
        ),
        (&approved, kind_cancel, OperationRefused::Authorized),
        (&taken, CANCEL, OperationRefused::NothingToCancel),
        (
            &released,
            Request::Capture(1),
            OperationRefused::ExceedsAuthorized,
        ),
        (&returned, Request::Refund(1), OperationRefused::ExceedsCaptured),
    ];
    for (history, request, refusal) in cases {
        let found = after(history).decide(request, Some("new")).err();
        assert_eq!(found, Some(refusal), "{request:?} after {history:?}");
    }
}

#[test]
fn pressing_a_button_twice_is_harmless() {
    for request in [Request::Approve, Request::Decline] {
        let mut payment = after(&[request]);
        ask(&mut payment, request, "again").unwrap();
        assert_eq!(payment.history.len(), 2);
    }
}
