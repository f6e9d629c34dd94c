//! When people buy, and for which day: seasons, weekends, years that grow, and a pandemic.

use chrono::{
    DateTime, Datelike as _, Days, MappedLocalTime, Months, NaiveDate, TimeDelta, TimeZone as _, Utc, Weekday,
};
use chrono_tz::Europe::Oslo;

use crate::dice::Dice;

/// How many years a history has.
const YEARS: i32 = 10;

/// How busy the months are: racing is from April to October.
const MONTHS: [f64; 12] = [
    0.06, 0.07, 0.14, 0.62, 1.25, 1.3, 0.95, 1.35, 1.2, 0.6, 0.14, 0.05,
];

/// A purchase that is going to be made.
#[derive(Clone, Copy)]
pub(crate) struct Placing {
    pub(crate) at: DateTime<Utc>,
    /// The first day of the activity.
    pub(crate) day: NaiveDate,
}

/// The days of a history.
#[derive(Clone, Copy)]
pub(crate) struct Calendar {
    /// When the shop opens.
    pub(crate) opens: DateTime<Utc>,
    /// Everything is over by then.
    pub(crate) until: DateTime<Utc>,
}

impl Calendar {
    /// The ten years that end with the day before `until`.
    pub(crate) fn until(until: NaiveDate) -> Self {
        let first = until.with_year(until.year() - YEARS).unwrap_or(until);
        Self {
            opens: local(first, 8 * 3600),
            until: local(until, 0),
        }
    }

    /// When a club joined that did so in a year, from 0; the first ones, one after the other, when the shop opened.
    pub(crate) fn joining(&self, year: usize, number: usize) -> DateTime<Utc> {
        let within = TimeDelta::seconds(i64::try_from(number).unwrap_or_default());
        // In January after the shop has opened, or a year later, or two.
        let months = match u32::try_from(year).unwrap_or_default() {
            0 => 0,
            year => 12 * year - 9,
        };
        self.opens + Months::new(months) + within
    }

    /// `count` purchases in the order of their time.
    pub(crate) fn placings(&self, count: usize, dice: &mut Dice) -> Vec<Placing> {
        let first = domain::today(self.opens) + Days::new(1);
        let last = domain::today(self.until) - Days::new(2);
        let days: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= last).collect();
        let all: f64 = days.iter().map(|day| busyness(*day)).sum();
        let mut placings = Vec::with_capacity(count);
        let mut reached = 0.0;
        for day in days {
            reached += busyness(day);
            // What is due up to and with this day, rounded, so that the sum is exact.
            let due = whole(count, reached / all);
            while placings.len() < due {
                placings.push(self.placing(day, dice));
            }
        }
        placings.sort_by_key(|placing| (placing.at, placing.day));
        placings
    }

    fn placing(&self, day: NaiveDate, dice: &mut Dice) -> Placing {
        // A third buys on the morning itself, most of the others in the days before.
        let ahead = match dice.below(100) {
            0..34 => 0,
            34..62 => dice.between(1, 2),
            62..86 => dice.between(3, 10),
            _ => dice.between(11, 60),
        };
        let on = day - Days::new(u64::try_from(ahead).unwrap_or_default());
        let second = if ahead == 0 {
            // Two throws make the middle likelier.
            i64::midpoint(dice.between(19_800, 36_000), dice.between(21_600, 39_600))
        } else {
            i64::midpoint(dice.between(25_200, 84_000), dice.between(43_200, 84_000))
        };
        let at = local(on, second) + dice.millis(0, 999);
        Placing {
            at: at.max(self.opens + TimeDelta::hours(6) + dice.millis(0, 3_600_000)),
            day,
        }
    }
}

/// How busy a day is, as a weight.
pub(crate) fn busyness(day: NaiveDate) -> f64 {
    let of_week = match day.weekday() {
        Weekday::Sat => 3.4,
        Weekday::Sun => 3.0,
        Weekday::Fri => 0.6,
        Weekday::Wed | Weekday::Thu => 0.35,
        _ => 0.15,
    };
    MONTHS[day.month0() as usize] * of_week * of_year(day)
}

/// Growth of the shop; in the pandemic most races were called off.
fn of_year(day: NaiveDate) -> f64 {
    let grown = 1.0 + 0.05 * f64::from(day.year() - 2016);
    match (day.year(), day.month()) {
        (2020, 3..=6) => grown * 0.12,
        (2020, 7..) | (2021, 1..=5) => grown * 0.5,
        _ => grown,
    }
}

/// A time of day in Norway, in seconds; in the hour that does not exist in March, an hour later.
pub(crate) fn local(day: NaiveDate, second: i64) -> DateTime<Utc> {
    let time = day.and_hms_opt(0, 0, 0).unwrap_or_default() + TimeDelta::seconds(second);
    match Oslo.from_local_datetime(&time) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
        MappedLocalTime::None => time.and_utc(),
    }
}

/// A share of `count`, rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts of purchases are small"
)]
pub(crate) fn whole(count: usize, share: f64) -> usize {
    (count as f64 * share).round() as usize
}
