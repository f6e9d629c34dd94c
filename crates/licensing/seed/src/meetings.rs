//! Which club runs what on which day.

use std::collections::BTreeMap;

use chrono::{Datelike as _, NaiveDate, Weekday};
use vocabulary::Category;

use crate::calendar::{busyness, whole};
use crate::catalogue::{ClubSize, Kind};
use crate::dice::Dice;

/// Keeps the throws of days apart from all others.
const PURPOSE: u64 = 1 << 41;
/// Most meetings on one day.
const MOST: usize = 14;
/// How long before its first meeting a club has joined, in days: longer than people buy ahead.
const AFTER_JOINING: i64 = 70;

/// A race, a training, a track day.
#[derive(Clone, Copy)]
pub(crate) struct Meeting {
    pub(crate) club: usize,
    pub(crate) kind: usize,
    weight: f64,
}

/// The meetings of the days that people buy for at present.
pub(crate) struct Meetings {
    seed: u64,
    /// Since when each club has been there.
    joined: Vec<NaiveDate>,
    of_day: BTreeMap<NaiveDate, Vec<Meeting>>,
}

impl Meetings {
    pub(crate) const fn new(seed: u64, joined: Vec<NaiveDate>) -> Self {
        Self {
            seed,
            joined,
            of_day: BTreeMap::new(),
        }
    }

    /// A meeting of this day, a large one rather than a small one. No earlier day than `today` is asked for any more.
    pub(crate) fn on(
        &mut self,
        (day, today): (NaiveDate, NaiveDate),
        (clubs, kinds): (&[ClubSize], &[Kind]),
        dice: &mut Dice,
    ) -> Meeting {
        while self.of_day.first_key_value().is_some_and(|(day, _)| *day < today) {
            self.of_day.pop_first();
        }
        let (seed, joined) = (self.seed, &self.joined);
        let meetings = self
            .of_day
            .entry(day)
            .or_insert_with(|| drawn(seed, day, joined, (clubs, kinds)));
        meetings[dice.weighted(meetings.iter().map(|meeting| meeting.weight))]
    }
}

fn drawn(
    seed: u64,
    day: NaiveDate,
    joined: &[NaiveDate],
    (clubs, kinds): (&[ClubSize], &[Kind]),
) -> Vec<Meeting> {
    let number = u64::try_from(day.num_days_from_ce()).unwrap_or_default();
    let mut dice = Dice::of(seed, PURPOSE + number);
    let count = whole(1, 2.8 * busyness(day)).clamp(1, MOST);
    let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
    let meeting = |_| {
        let club = dice.weighted(clubs.iter().zip(joined).map(|(club, since)| {
            let there = (day - *since).num_days() >= AFTER_JOINING || club.joined == 0;
            if there { club.weight } else { 0.0 }
        }));
        let kind = dice.weighted(
            kinds
                .iter()
                .map(|kind| kind.weight * on_such_a_day(kind.category, weekend)),
        );
        Meeting {
            club,
            kind,
            // Large clubs draw more people, and so do some meetings.
            weight: clubs[club].weight.sqrt() * (0.3 + dice.share()),
        }
    };
    (0..count).map(meeting).collect()
}

/// How much likelier a meeting of this category is on a weekend, or on another day.
const fn on_such_a_day(category: Category, weekend: bool) -> f64 {
    let (on_weekends, on_other_days) = match category {
        Category::Competition => (2.0, 0.1),
        Category::Training => (0.4, 2.0),
        Category::TrackDay => (1.0, 0.7),
        Category::Passenger | Category::Test => (0.3, 1.0),
    };
    if weekend { on_weekends } else { on_other_days }
}
