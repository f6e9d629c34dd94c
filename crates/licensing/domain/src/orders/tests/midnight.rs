//! A license for yesterday is never issued, in every state that a payment can meet and at both midnights.

use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use chrono_tz::Europe::Oslo;
use cqrs_es::Aggregate;
use events::{OrderCancelledByCustomer, OrderEvent, OrderExpired, RefundReason};
use proptest::prelude::*;

use super::{and, confirm, date, expect, paid, placed, refund, requested};
use crate::orders::Order;

/// An order for `day` that can be paid, or could.
fn waiting(day: NaiveDate) -> [Vec<OrderEvent>; 3] {
    let mut order = placed();
    order.lines[0].activity_date = day;
    let pending = vec![order.clone().into(), requested().into()];
    [vec![order.into()], pending.clone(), and(pending, OrderExpired {})]
}

/// The first moment of a day in Norway.
fn midnight(day: NaiveDate) -> DateTime<Utc> {
    let start = day.and_hms_opt(0, 0, 0).unwrap();
    Oslo.from_local_datetime(&start).unwrap().with_timezone(&Utc)
}

#[test]
fn a_payment_a_moment_after_midnight_goes_back_and_one_a_moment_before_buys() {
    for given in waiting(date(2026, 6, 5)) {
        let end = midnight(date(2026, 6, 6));
        let last = end - TimeDelta::microseconds(1);
        expect(given.clone(), confirm(42_000, last), vec![paid().into()]);
        let back = refund(RefundReason::PaidTooLate, 42_000);
        expect(given, confirm(42_000, end), vec![back.into()]);
    }
}

/// A cancelled order is never revived: whenever its payment comes, the money goes back.
#[test]
fn a_payment_of_an_order_that_its_customer_cancelled_goes_back_before_and_after_midnight() {
    for given in waiting(date(2026, 6, 5)) {
        let cancelled = and(given, OrderCancelledByCustomer {});
        let end = midnight(date(2026, 6, 6));
        for now in [
            end - TimeDelta::days(10),
            end - TimeDelta::microseconds(1),
            end,
            end + TimeDelta::days(1),
        ] {
            let back = refund(RefundReason::PaidTooLate, 42_000);
            expect(cancelled.clone(), confirm(42_000, now), vec![back.into()]);
        }
    }
}

proptest! {
    /// Through both changes of the clock: nights of 23, 24 and 25 hours.
    #[test]
    fn a_confirmed_payment_buys_if_and_only_if_the_day_is_not_over_in_norway(
        day in prop_oneof![
            Just(date(2026, 3, 28)), Just(date(2026, 3, 29)), Just(date(2026, 10, 24)), Just(date(2026, 10, 25)),
            (0_u64..3650).prop_map(|days| date(2026, 1, 1) + chrono::Days::new(days)),
        ],
        seconds in prop_oneof![-20_i64..20, -200_000_i64..200_000],
    ) {
        let now = midnight(day + chrono::Days::new(1)) + TimeDelta::seconds(seconds);
        for given in waiting(day) {
            let mut order = Order::default();
            for event in given {
                order.apply(event);
            }
            let decided = order.decide(confirm(42_000, now)).unwrap();
            let back = refund(RefundReason::PaidTooLate, 42_000);
            let due: OrderEvent = if seconds < 0 { paid().into() } else { back.into() };
            prop_assert_eq!(decided, vec![due]);
        }
    }
}
