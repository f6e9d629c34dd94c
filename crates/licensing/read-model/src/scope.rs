//! Whose rows a reader may see. A personal resource is read with such conditions only: see [`query::Access`].

use query::{Bind, Conditions};
use uuid::Uuid;

/// Whose rows a reader may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All rows: staff.
    Everything,
    /// The reader's own purchases: a customer.
    Own(Uuid),
    /// The reader's own purchases, and what belongs to their clubs alone: an organizer.
    OwnAndClubs {
        /// The reader.
        user_id: Uuid,
        /// The clubs that they organize for.
        clubs: Vec<Uuid>,
    },
}

impl Scope {
    /// Of orders. An organizer sees an order when all its lines are of their clubs: the others are not theirs to read.
    pub fn of_orders(&self) -> Conditions {
        // `&&` finds the orders through the index and leaves out those without a club, which `<@` would let in.
        self.conditions("(customer_id = ? or (club_ids && ? and club_ids <@ ?))", 2)
    }

    /// Of licenses. An organizer sees those of their clubs.
    pub fn of_licenses(&self) -> Conditions {
        self.conditions("(customer_id = ? or club_id = any(?))", 1)
    }

    /// Of receipts. They belong to the buyer; a club sees none of other people's.
    pub fn of_receipts(&self) -> Conditions {
        match self {
            Self::OwnAndClubs { user_id, .. } => Self::Own(*user_id).of_receipts(),
            Self::Own(_) | Self::Everything => self.conditions("", 0),
        }
    }

    /// Of activities. An organizer sees those of their clubs, a customer none.
    pub fn of_activities(&self) -> Conditions {
        let mut conditions = Conditions::default();
        match self {
            Self::Everything => {}
            Self::Own(_) => conditions.and("false", []),
            Self::OwnAndClubs { clubs, .. } => {
                conditions.and("club_id = any(?)", [Bind::Uuids(clubs.clone())]);
            }
        }
        conditions
    }

    fn conditions(&self, of_clubs: &'static str, club_binds: usize) -> Conditions {
        let mut conditions = Conditions::default();
        match self {
            Self::Everything => {}
            Self::Own(user_id) => conditions.and("customer_id = ?", [Bind::Uuid(*user_id)]),
            Self::OwnAndClubs { user_id, clubs } => {
                let clubs = std::iter::repeat_n(Bind::Uuids(clubs.clone()), club_binds);
                conditions.and(of_clubs, std::iter::once(Bind::Uuid(*user_id)).chain(clubs));
            }
        }
        conditions
    }
}
