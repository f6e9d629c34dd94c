//! What the shop needs before its first order, and what its staff does over the years.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Datelike as _, Months, TimeDelta, Utc};
use cqrs_es::Aggregate;
use domain::{
    Club, ClubCommand, LicenseType, LicenseTypeCommand, NewSuspension, Refusal, RequestedPerson, Suspension,
    SuspensionCommand, Terms, TermsCommand, User, UserCommand, license_type_id, terms_id,
};
use envelope::EventPayload;
use event_store::{Member, cqrs_es};
use uuid::Uuid;
use vocabulary::UserRole;

use crate::calendar::local;
use crate::catalogue;
use crate::dice::Dice;
use crate::shop::{Happening, Shop, by_person};

/// Keeps the throws of staff apart from all others.
const PURPOSE: u64 = 2;
/// People who are suspended in a year, for each hundred thousand orders of the ten years.
const SUSPENDED_A_YEAR: f64 = 4.0;
const SUSPENDED_BECAUSE: &[&str] = &[
    "Vedtak i disiplinærutvalget",
    "Kjøring uten gyldig lisens",
    "Usportslig opptreden mot funksjonær",
];

impl Shop {
    /// Makes the catalogue, the clubs and the users, and plans what comes over the years.
    pub(crate) async fn open(&mut self, orders: usize) -> anyhow::Result<()> {
        let opens = self.calendar.opens;
        self.give_roles(opens, "admin 1", "admin 1", UserRole::Admin, Vec::new())
            .await?;
        for staff in ["staff 1", "staff 2", "staff 3"] {
            self.give_roles(opens, "admin 1", staff, UserRole::Staff, Vec::new())
                .await?;
        }
        for number in 0..self.asked_types.len() {
            let new = self.asked_types[number].clone();
            let mut kind = Member::<LicenseType>::new(license_type_id(&new.code));
            let first = domain::NewLicenseType {
                price_ore: self.price_ore(number, 0),
                ..new
            };
            let command = LicenseTypeCommand::Create {
                new: first,
                now: opens,
            };
            self.by_staff(opens, &mut kind, command).await?;
            self.types.push(kind);
        }
        let terms = catalogue::terms(&self.calendar)?;
        for (number, (from, new)) in terms.into_iter().enumerate() {
            self.coming_terms.push(new);
            if number == 0 {
                self.publish(opens, 0).await?;
            } else {
                self.plan(from, Happening::Terms(number));
            }
        }
        self.offer(opens);
        self.club_ids = (0..self.clubs.len())
            .map(|number| {
                let joins = self.calendar.joining(self.clubs[number].joined, number);
                self.dice.id_at(joins)
            })
            .collect();
        for number in 0..self.clubs.len() {
            let joins = self.calendar.joining(self.clubs[number].joined, number);
            self.plan(joins, Happening::Club(number));
        }
        for year in 1..=self.last_year() {
            let january = opens.year() + i32::try_from(year).unwrap_or_default();
            if let Some(day) = chrono::NaiveDate::from_ymd_opt(january, 1, 2) {
                self.plan(local(day, 28_800), Happening::Prices(year));
            }
        }
        let mut dice = Dice::of(self.seed, PURPOSE);
        #[expect(clippy::cast_precision_loss, reason = "a count of orders")]
        let suspensions = crate::calendar::whole(1, SUSPENDED_A_YEAR * orders as f64 / 10_000.0).max(2);
        let length = (self.calendar.until - opens).num_minutes();
        for _ in 0..suspensions {
            let at = opens + TimeDelta::days(30) + TimeDelta::minutes(dice.between(0, length - 100_000));
            self.plan(at, Happening::Suspension);
        }
        Ok(())
    }

    /// The number of the last year in which prices were set.
    fn last_year(&self) -> usize {
        usize::try_from(self.calendar.until.year() - self.calendar.opens.year()).unwrap_or_default()
    }

    fn price_ore(&self, number: usize, year: usize) -> i64 {
        catalogue::price_ore(self.asked_types[number].price_ore, year, self.last_year())
    }

    pub(crate) async fn set_prices(&mut self, at: DateTime<Utc>, year: usize) -> anyhow::Result<()> {
        let mut types = std::mem::take(&mut self.types);
        for (number, kind) in types.iter_mut().enumerate() {
            let command = LicenseTypeCommand::SetPrice {
                price_ore: self.price_ore(number, year),
                valid_from: None,
                now: at,
            };
            self.by_staff(at, kind, command).await?;
        }
        self.types = types;
        self.offer(at);
        Ok(())
    }

    /// What orders get from this moment on.
    fn offer(&mut self, at: DateTime<Utc>) {
        self.offers = self
            .types
            .iter()
            .map(|kind| kind.aggregate.offer_at(at))
            .collect();
    }

    pub(crate) async fn register(&mut self, at: DateTime<Utc>, number: usize) -> anyhow::Result<()> {
        let club_id = self.club_ids[number];
        let name = self.clubs[number].name.clone();
        let mut club = Member::<Club>::new(club_id);
        self.by_staff(at, &mut club, ClubCommand::Register { name })
            .await?;
        let organizer = format!("organizer {number}");
        self.give_roles(at, "admin 1", &organizer, UserRole::Organizer, vec![club_id])
            .await
    }

    pub(crate) async fn publish(&mut self, at: DateTime<Utc>, number: usize) -> anyhow::Result<()> {
        let mut terms = self
            .terms
            .take()
            .unwrap_or_else(|| Member::<Terms>::new(terms_id()));
        let new = Box::new(self.coming_terms[number].clone());
        let name = new.terms_version.clone();
        self.by_staff(at, &mut terms, TermsCommand::Publish { new, now: at })
            .await?;
        self.accepted = (Arc::new(terms.aggregate.clone()), name);
        self.terms = Some(terms);
        Ok(())
    }

    /// Suspends someone for some months, or until staff ends it.
    pub(crate) async fn suspend(&mut self, at: DateTime<Utc>) -> anyhow::Result<()> {
        let household = self.households.buying(&mut self.dice);
        let person = &household.members[0];
        let id = self.dice.id_at(at);
        let months = u32::try_from(self.dice.between(2, 12)).unwrap_or(2);
        let until = self
            .dice
            .happens(700)
            .then(|| domain::today(at + Months::new(months)));
        let reason = *self.dice.one_of(SUSPENDED_BECAUSE);
        let new = Box::new(NewSuspension {
            person: Some(RequestedPerson {
                name: person.name.clone(),
                birth_date: person.birth_date,
            }),
            vehicle: None,
            reason: reason.to_owned(),
            until,
        });
        let holder_key = Arc::clone(&self.holder_key);
        let mut suspension = Member::<Suspension>::new(id);
        let command = SuspensionCommand::Impose {
            new,
            holder_key,
            now: at,
        };
        self.by_staff(at, &mut suspension, command).await?;
        self.suspensions.insert(id, suspension);
        // Looked at again for the next order.
        self.suspended.0 = chrono::NaiveDate::MIN;
        let lifted = at + TimeDelta::days(self.dice.between(10, 200));
        if (until.is_none() || self.dice.happens(300)) && lifted < self.calendar.until {
            self.plan(lifted, Happening::Lift(id));
        }
        Ok(())
    }

    pub(crate) async fn lift(&mut self, at: DateTime<Utc>, id: Uuid) -> anyhow::Result<()> {
        let mut suspension = self.suspensions.remove(&id).context("the suspension is known")?;
        let reason = "Klagen er tatt til følge".to_owned();
        self.by_staff(at, &mut suspension, SuspensionCommand::Lift { reason })
            .await?;
        self.suspended.0 = chrono::NaiveDate::MIN;
        Ok(())
    }

    async fn give_roles(
        &mut self,
        at: DateTime<Utc>,
        by: &str,
        to: &str,
        role: UserRole,
        club_ids: Vec<Uuid>,
    ) -> anyhow::Result<()> {
        let (by, user_id) = (self.login(by), self.login(to));
        let command = UserCommand::SetRoles {
            roles: vec![role],
            club_ids,
            by,
            user_id,
        };
        let mut user = Member::<User>::new(user_id);
        self.by(at, (by, "admin"), &mut user, command).await
    }

    async fn by_staff<A>(
        &mut self,
        at: DateTime<Utc>,
        member: &mut Member<A>,
        command: A::Command,
    ) -> anyhow::Result<()>
    where
        A: Aggregate<Services = (), Error = Refusal> + 'static,
        A::Event: EventPayload,
    {
        self.by(at, (self.login("staff 1"), "staff"), member, command)
            .await
    }

    /// A command that nothing else follows from. One that changes nothing is not recorded.
    async fn by<A>(
        &mut self,
        at: DateTime<Utc>,
        (who, role): (Uuid, &str),
        member: &mut Member<A>,
        command: A::Command,
    ) -> anyhow::Result<()>
    where
        A: Aggregate<Services = (), Error = Refusal> + 'static,
        A::Event: EventPayload,
    {
        let metadata = by_person(self.dice.id_at(at), &who.to_string(), role);
        let past = self
            .command_handler
            .decide_past(at, metadata, async |unit| unit.handle(member, command).await)
            .await?;
        if let Some(past) = past {
            self.outlet.add(past).await?;
        }
        Ok(())
    }
}
