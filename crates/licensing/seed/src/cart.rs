//! What goes into one order: a driver, a family with companions, or a club that buys for everyone who turned up.

use chrono::{Datelike as _, NaiveDate, Weekday};
use domain::{AskedLine, Offer, OrderClub, RequestedLine};
use vocabulary::{Category, Role};

use crate::catalogue::Kind;
use crate::dice::Dice;
use crate::people::{Household, Households, Person};

/// The youngest who come along, in years.
const YOUNGEST: u32 = 8;
/// Of 1000 orders, those that a club places.
const OF_CLUBS: u32 = 22;

/// Who buys.
pub(crate) enum Buyer {
    Household(usize),
    /// The organizer of the meeting's club.
    Organizer,
}

/// What people choose from.
pub(crate) struct Choice<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) club: OrderClub,
    pub(crate) day: NaiveDate,
    /// What the catalogue offers now, by type.
    pub(crate) offers: &'a [Option<Offer>],
}

impl Choice<'_> {
    /// An order's lines, and who buys them.
    pub(crate) fn cart(&self, households: &Households, dice: &mut Dice) -> (Buyer, Vec<RequestedLine>) {
        if dice.happens(OF_CLUBS) {
            let count = 4 + dice.below(9) + dice.below(16);
            let line = |_| {
                let household = households.buying(dice);
                let holder = &household.members[0];
                let place = self.beside(dice).unwrap_or(self.kind.main);
                self.line(place, holder, &household, dice)
            };
            return (Buyer::Organizer, (0..count).filter_map(line).collect());
        }
        let household = households.buying(dice);
        let old_enough = |person: &&Person| {
            self.day
                .years_since(person.birth_date)
                .is_some_and(|years| years >= YOUNGEST)
        };
        let members: Vec<&Person> = household.members.iter().filter(old_enough).collect();
        let driver = if dice.happens(700) {
            0
        } else {
            dice.below(members.len())
        };
        let mut lines = Vec::new();
        lines.extend(self.line(self.kind.main, members[driver], &household, dice));
        let comes_along = members.iter().enumerate().filter(|(place, _)| *place != driver);
        if members.len() > 1 && dice.happens(330) {
            let most = 1 + dice.below(3);
            for (_, person) in comes_along.take(most) {
                let place = self.beside(dice).unwrap_or(self.kind.main);
                lines.extend(self.line(place, person, &household, dice));
            }
        }
        (Buyer::Household(household.number), lines)
    }

    fn beside(&self, dice: &mut Dice) -> Option<usize> {
        (!self.kind.beside.is_empty() && dice.happens(850)).then(|| *dice.one_of(&self.kind.beside))
    }

    fn line(
        &self,
        place: usize,
        holder: &Person,
        household: &Household,
        dice: &mut Dice,
    ) -> Option<RequestedLine> {
        let offer = self.offers[place].clone()?;
        let minor = self
            .day
            .years_since(holder.birth_date)
            .is_none_or(|years| years < 18);
        let two_days = offer.facts.category == Category::TrackDay
            && self.day.weekday() == Weekday::Sat
            && dice.happens(150);
        Some(RequestedLine {
            asked: AskedLine {
                license_type: offer.facts.code.clone(),
                club_id: self.club.club_id,
                activity_date: self.day,
                activity_days: two_days.then_some(2),
                holder: holder.holder(minor.then(|| &household.members[0])),
                vehicle: (offer.facts.role == Role::Driver).then(|| holder.vehicle(&offer.facts.discipline)),
            },
            offer: Some(offer),
            club: Some(self.club.clone()),
        })
    }
}
