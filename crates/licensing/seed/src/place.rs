//! Placing orders: who buys what for which meeting, as far as the rules let them.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    ContactChange, Order, OrderClub, OrderCommand, PlaceOrder, Suspension, User, UserCommand, today,
};
use envelope::Position;
use event_store::{CommandError, Member, Past};
use uuid::Uuid;
use vocabulary::{ClubStatus, Language, PaymentProvider};

use crate::calendar::Placing;
use crate::cart::{Buyer, Choice};
use crate::purchase::{Purchase, TIME_TO_PAY, steps};
use crate::shop::{Shop, by_person};

impl Shop {
    /// An order, unless the rules refuse it.
    pub(crate) async fn place(&mut self, placing: Placing) -> anyhow::Result<()> {
        let at = placing.at;
        let (buyer, asked) = self.asked(placing);
        let (order_id, customer_id, provider) = (asked.order_id, asked.customer_id, asked.payment_provider);
        let request_id = self.dice.id_at(at);
        let Some((past, order)) = self.decided(at, request_id, &buyer, asked).await? else {
            self.counts.refused += 1;
            return Ok(());
        };
        let Some(placed) = order.aggregate.placed() else {
            return Ok(());
        };
        self.counts.placed(placed);
        let first = placed.lines.first();
        let of_holder =
            first.and_then(|line| Some((line.holder_id?, line.holder.email.clone()?.into_exposed())));
        let lines = u16::try_from(placed.lines.len()).unwrap_or_default();
        let own = match buyer {
            Buyer::Household(number) => self.contact(at, number, customer_id).await?,
            Buyer::Organizer => None,
        };
        let mut ahead = steps(placing, lines, &mut self.dice);
        ahead.reverse();
        let mut purchase = Box::new(Purchase {
            order,
            licenses: Vec::new(),
            letters: Member::new(domain::letters_id(order_id)),
            customer_id,
            provider,
            address: own.or(of_holder),
            request_id,
            receipt: None,
            unsent: Vec::new(),
            cause: Position::START,
            ahead,
        });
        purchase.cause = self.outlet.add(past).await?;
        self.wait_for(purchase);
        Ok(())
    }

    /// What someone wants.
    fn asked(&mut self, Placing { at, day }: Placing) -> (Buyer, PlaceOrder) {
        let now = today(at);
        let meeting = self
            .meetings
            .on((day, now), (&self.clubs, &self.kinds), &mut self.dice);
        let choice = Choice {
            kind: &self.kinds[meeting.kind],
            club: OrderClub {
                club_id: self.club_ids[meeting.club],
                name: self.clubs[meeting.club].name.clone(),
                status: ClubStatus::Active,
            },
            day,
            offers: &self.offers,
        };
        let (buyer, lines) = choice.cart(&self.households, &mut self.dice);
        let customer_id = match buyer {
            Buyer::Household(number) => self.login(&format!("household {number}")),
            Buyer::Organizer => self.organizer(meeting.club),
        };
        let asked = PlaceOrder {
            order_id: self.dice.id_at(at),
            customer_id,
            lines,
            payment_provider: if self.dice.happens(720) {
                PaymentProvider::Vipps
            } else {
                PaymentProvider::Nexi
            },
            terms_version: self.accepted.1.clone(),
            terms: Arc::clone(&self.accepted.0),
            expected_total_ore: None,
            now: at,
            time_to_pay: TIME_TO_PAY,
            holder_key: Arc::clone(&self.holder_key),
            suspended: self.suspended_on(at, now),
        };
        (buyer, asked)
    }

    /// The order that the rules allow, unless its days or caps are taken.
    async fn decided(
        &mut self,
        at: DateTime<Utc>,
        request_id: Uuid,
        buyer: &Buyer,
        asked: PlaceOrder,
    ) -> anyhow::Result<Option<(Past, Member<Order>)>> {
        let role = match buyer {
            Buyer::Household(_) => "customer",
            Buyer::Organizer => "organizer",
        };
        let metadata = by_person(request_id, &asked.customer_id.to_string(), role);
        let mut order = Member::<Order>::new(asked.order_id);
        let decided = self
            .command_handler
            .decide_past(at, metadata, async |unit| {
                unit.handle(&mut order, OrderCommand::Place(Box::new(asked)))
                    .await
            })
            .await;
        let past = match decided {
            Ok(past) => past,
            Err(CommandError::Refused(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let placed = order.aggregate.placed();
        let free = placed.is_some_and(|placed| self.held.take(placed, today(at)));
        Ok(past.filter(|_| free).map(|past| (past, order)))
    }

    /// The buyer's own address, if they have given one. Two of three do so before their first order.
    async fn contact(
        &mut self,
        at: DateTime<Utc>,
        household: usize,
        customer_id: Uuid,
    ) -> anyhow::Result<Option<(Uuid, String)>> {
        if household.is_multiple_of(3) {
            return Ok(None);
        }
        let buyer = self.households.household(household).members.swap_remove(0);
        let Some(email) = buyer.email else { return Ok(None) };
        if self.known.insert(household) {
            let language = if household % 50 == 1 {
                Language::En
            } else {
                Language::Nb
            };
            let change = ContactChange {
                name: Some(Some(buyer.name)),
                email: Some(Some(email.clone())),
                phone: Some(buyer.phone),
                language: Some(Some(language)),
            };
            let mut user = Member::<User>::new(customer_id);
            let metadata = by_person(self.dice.id_at(at), &customer_id.to_string(), "customer");
            let past = self
                .command_handler
                .decide_past(at, metadata, async |unit| {
                    unit.handle(&mut user, UserCommand::ChangeContact(change)).await
                })
                .await?;
            if let Some(past) = past {
                self.outlet.add(past).await?;
            }
        }
        Ok(Some((customer_id, email)))
    }

    /// Who is suspended.
    fn suspended_on(&mut self, at: DateTime<Utc>, day: NaiveDate) -> BTreeSet<Uuid> {
        if self.suspended.0 != day {
            let all = self.suspensions.values().map(|suspension| &suspension.aggregate);
            let in_force = all.filter(|suspension| suspension.in_force(at));
            self.suspended = (day, in_force.flat_map(Suspension::subjects).copied().collect());
        }
        self.suspended.1.clone()
    }
}
