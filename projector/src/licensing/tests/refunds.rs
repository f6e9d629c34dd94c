//! What goes back of an order, in its row.

use envelope::Personal;
use events::{
    LineRefund, LineRefundsRequested, LinesRefunded, OrderEvent, OrderRefunded, RefundFailed, RefundFailure,
    RefundRetried,
};

use super::{june, line, order, placed};

#[test]
fn what_goes_back_is_told_line_by_line() {
    let requested = |lines: &[u16], ends_order| LineRefundsRequested {
        reference: "ref-1".into(),
        policy_version: "r1".into(),
        overridden: false,
        reason: Personal::new("race cancelled".into()),
        ends_order,
        lines: refunds_of(lines),
    };
    let back = LinesRefunded {
        reference: "ref-1".into(),
        lines: refunds_of(&[1]),
        captured_ore: 300,
        refunded_ore: 100,
        released_ore: 0,
    };
    let failed = RefundFailed {
        reference: "ref-1".into(),
        reason: RefundFailure::Refused,
        left_ore: 100,
        captured_ore: 300,
        refunded_ore: 100,
    };
    let retried = RefundRetried {
        reference: "ref-1".into(),
        reason: Personal::new("again".into()),
    };
    let all = OrderRefunded {
        reference: "ref-1".into(),
        released_ore: 0,
        refunded_ore: 200,
    };
    let mut events = vec![placed(vec![line(june(5), 1), line(june(6), 1)])];
    let mut after = |event: OrderEvent| {
        events.push(event);
        let row = order(events.clone()).unwrap();
        let lines: serde_json::Value = serde_json::from_str(row.refunds.0.get()).unwrap();
        let states = lines.as_array().unwrap().iter();
        let states: Vec<_> = states
            .map(|line| format!("{} {}", line["line"], line["state"]))
            .collect();
        let state = row.refund_state.map(|state| state.to_string());
        (
            row.status.to_string(),
            row.refunded_ore,
            state.unwrap_or_default(),
            states.join(", "),
        )
    };
    let told = |status: &str, ore, state: &str, lines: &str| {
        (
            status.to_owned(),
            ore,
            state.to_owned(),
            lines.replace('\'', "\""),
        )
    };
    assert_eq!(
        after(requested(&[1], false).into()),
        told("placed", 0, "pending", "1 'pending'")
    );
    assert_eq!(
        after(back.into()),
        told("placed", 100, "refunded", "1 'refunded'")
    );
    let both = |state: &str| format!("1 'refunded', 2 '{state}'");
    let ending = "refund_pending";
    assert_eq!(
        after(requested(&[2], true).into()),
        told(ending, 100, "pending", &both("pending"))
    );
    assert_eq!(after(failed.into()), told(ending, 100, "failed", &both("failed")));
    assert_eq!(
        after(retried.into()),
        told(ending, 100, "pending", &both("pending"))
    );
    assert_eq!(
        after(all.into()),
        told("refunded", 200, "refunded", &both("refunded"))
    );
}

fn refunds_of(lines: &[u16]) -> Vec<LineRefund> {
    let refund = |line: &u16| LineRefund {
        line: *line,
        amount_ore: 100,
    };
    lines.iter().map(refund).collect()
}
