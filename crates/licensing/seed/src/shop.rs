//! The shop of the history: what is decided when, by the rules that a running shop has.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    CapturePolicy, HolderKey, LicenseType, NewLicenseType, NewTerms, Offer, ReceiptSeries, RefundPolicy,
    Suspension, Terms, today,
};
use envelope::Metadata;
use event_store::{CommandHandler, Member};
use uuid::Uuid;

use crate::calendar::Calendar;
use crate::catalogue::{ClubSize, Kind};
use crate::counts::Counts;
use crate::dice::Dice;
use crate::held::Held;
use crate::meetings::Meetings;
use crate::outlet::Outlet;
use crate::people::Households;
use crate::purchase::Purchase;

/// Namespace of the ids of people who log in. Never changes.
const PEOPLE: Uuid = Uuid::from_u128(0x6f2c_9d0e_55b1_5f0a_a3c4_7d1b_02e8_9a41);

/// A shop that is open.
pub(crate) struct Shop {
    pub(crate) command_handler: CommandHandler,
    pub(crate) holder_key: Arc<HolderKey>,
    pub(crate) seed: u64,
    pub(crate) calendar: Calendar,
    pub(crate) dice: Dice,
    pub(crate) outlet: Outlet,
    pub(crate) counts: Counts,

    pub(crate) asked_types: Vec<NewLicenseType>,
    pub(crate) types: Vec<Member<LicenseType>>,
    pub(crate) offers: Vec<Option<Offer>>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) clubs: Vec<ClubSize>,
    pub(crate) club_ids: Vec<Uuid>,
    pub(crate) coming_terms: Vec<NewTerms>,
    pub(crate) terms: Option<Member<Terms>>,
    pub(crate) accepted: (Arc<Terms>, String),
    pub(crate) capture_policy: Arc<CapturePolicy>,
    pub(crate) refund_policy: Arc<RefundPolicy>,

    pub(crate) households: Households,
    pub(crate) meetings: Meetings,
    /// Households whose contact data the shop knows.
    pub(crate) known: HashSet<usize>,
    pub(crate) held: Held,
    pub(crate) series: HashMap<i32, Member<ReceiptSeries>>,
    pub(crate) suspensions: HashMap<Uuid, Member<Suspension>>,
    /// Who is suspended, on which day.
    pub(crate) suspended: (NaiveDate, BTreeSet<Uuid>),

    pub(crate) agenda: BinaryHeap<Entry>,
    entries: u64,
}

/// What is going to happen.
pub(crate) enum Happening {
    Order(Box<Purchase>),
    /// The prices of a year, from 0.
    Prices(usize),
    Club(usize),
    Terms(usize),
    Suspension,
    Lift(Uuid),
}

/// A place in the agenda.
pub(crate) struct Entry {
    at: DateTime<Utc>,
    number: u64,
    what: Happening,
}

impl Shop {
    /// What the shop begins with, before [`Shop::open`].
    pub(crate) fn new(
        (command_handler, holder_key): (CommandHandler, Arc<HolderKey>),
        (seed, calendar): (u64, Calendar),
        households: usize,
        outlet: Outlet,
    ) -> anyhow::Result<Self> {
        let mut dice = Dice::of(seed, 0);
        let asked_types = crate::catalogue::license_types()?;
        let clubs = crate::catalogue::clubs(&mut dice)?;
        let joined = clubs
            .iter()
            .map(|club| calendar.joining(club.joined, 0))
            .map(today);
        Ok(Self {
            command_handler,
            holder_key,
            seed,
            calendar,
            dice,
            outlet,
            counts: Counts::default(),
            kinds: crate::catalogue::kinds(&asked_types),
            types: Vec::new(),
            offers: Vec::new(),
            asked_types,
            meetings: Meetings::new(seed, joined.collect()),
            clubs,
            club_ids: Vec::new(),
            coming_terms: Vec::new(),
            terms: None,
            accepted: Default::default(),
            capture_policy: Arc::new(serde_json::from_str(include_str!(
                "../../../../data/capture-policy.json"
            ))?),
            refund_policy: Arc::new(serde_json::from_str(include_str!(
                "../../../../data/refund-policy.json"
            ))?),
            households: Households::new(seed, households),
            known: HashSet::new(),
            held: Held::default(),
            series: HashMap::new(),
            suspensions: HashMap::new(),
            suspended: (NaiveDate::MIN, BTreeSet::new()),
            agenda: BinaryHeap::new(),
            entries: 0,
        })
    }

    /// Plays the whole history.
    pub(crate) async fn play(mut self, orders: usize) -> anyhow::Result<(u64, Counts)> {
        self.open(orders).await?;
        let mut placings = Dice::of(self.seed, 1);
        for placing in self.calendar.placings(orders, &mut placings) {
            self.work_until(placing.at).await?;
            self.place(placing).await?;
            self.outlet.orders += 1;
        }
        self.work_until(self.calendar.until).await?;
        Ok((self.outlet.flush().await?, self.counts))
    }

    /// Does everything that is due up to a moment.
    async fn work_until(&mut self, moment: DateTime<Utc>) -> anyhow::Result<()> {
        while self.agenda.peek().is_some_and(|entry| entry.at <= moment) {
            let Some(Entry { at, what, .. }) = self.agenda.pop() else {
                break;
            };
            match what {
                Happening::Order(mut purchase) => {
                    if let Some((_, step)) = purchase.ahead.pop() {
                        self.step(&mut purchase, at, step).await?;
                    }
                    self.wait_for(purchase);
                }
                Happening::Prices(year) => self.set_prices(at, year).await?,
                Happening::Club(number) => self.register(at, number).await?,
                Happening::Terms(number) => self.publish(at, number).await?,
                Happening::Suspension => self.suspend(at).await?,
                Happening::Lift(suspension) => self.lift(at, suspension).await?,
            }
        }
        Ok(())
    }

    /// Puts the next thing that happens to an order on the agenda.
    pub(crate) fn wait_for(&mut self, purchase: Box<Purchase>) {
        if let Some((at, _)) = purchase.ahead.last() {
            self.plan(*at, Happening::Order(purchase));
        }
    }

    pub(crate) fn plan(&mut self, at: DateTime<Utc>, what: Happening) {
        self.entries += 1;
        let number = self.entries;
        self.agenda.push(Entry { at, number, what });
    }

    /// The id of the organizer of a club.
    pub(crate) fn organizer(&self, club: usize) -> Uuid {
        self.login(&format!("organizer {club}"))
    }

    /// The id of someone who logs in.
    pub(crate) fn login(&self, who: &str) -> Uuid {
        Uuid::new_v5(&PEOPLE, format!("{}\n{who}", self.seed).as_bytes())
    }
}

/// What a person asked for.
pub(crate) fn by_person(request_id: Uuid, actor: &str, role: &str) -> Metadata {
    Metadata {
        request_id: Some(request_id.to_string()),
        correlation_id: Some(request_id.to_string()),
        actor: Some(actor.to_owned()),
        actor_role: Some(role.to_owned()),
        ..Metadata::default()
    }
}

impl Ord for Entry {
    /// The earliest is the greatest, as the heap wants it; of the same moment, the one that was planned first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}
