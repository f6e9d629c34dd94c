//! Which tables are followed, and whose their rows are.

use std::fmt;

use query::{Bind, Conditions};

use crate::Scope;

/// A table whose changes are told.
pub struct Followed {
    /// What a row is called.
    pub name: &'static str,
    /// Whether everyone may see its rows.
    pub is_public: bool,
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    /// SQL of the row's owner, a `uuid`.
    pub(super) owner: &'static str,
    /// SQL of the row's clubs, a `uuid[]`.
    pub(super) clubs: &'static str,
    /// The rows that a reader may see; nothing if there are none for them.
    pub(super) rows: fn(&Scope) -> Option<Conditions>,
}

/// Every followed table. What a row is to a reader in these columns is what its [`Scope`] says.
pub static FOLLOWED: [Followed; 10] = [
    Followed {
        name: "order",
        is_public: false,
        table: "orders",
        key: "order_id",
        owner: "customer_id",
        clubs: "club_ids",
        rows: |scope| Some(scope.of_orders()),
    },
    Followed {
        name: "license",
        is_public: false,
        table: "licenses",
        key: "license_id",
        owner: "customer_id",
        clubs: "array[club_id]",
        rows: |scope| Some(scope.of_licenses()),
    },
    Followed {
        name: "receipt",
        is_public: false,
        table: "receipts",
        key: "receipt_id",
        owner: "customer_id",
        clubs: NO_CLUBS,
        rows: |scope| Some(scope.of_receipts()),
    },
    Followed {
        name: "user",
        is_public: false,
        table: "users",
        key: "user_id",
        owner: "user_id",
        clubs: NO_CLUBS,
        rows: |scope| Some(themselves(scope)),
    },
    for_staff("letter", "letters", "letter_id"),
    for_staff("suspension", "suspensions", "suspension_id"),
    for_staff("batch", "batches", "batch_id"),
    for_everyone("license_type", "license_types", "license_type_id"),
    for_everyone("club", "clubs", "club_id"),
    for_everyone("terms", "terms", "terms_id"),
];

/// Where in [`FOLLOWED`] the users are: their rows also say what they may do.
pub(super) const USERS: usize = 3;

const NO_OWNER: &str = "null::uuid";
const NO_CLUBS: &str = "'{}'::uuid[]";

const fn for_staff(name: &'static str, table: &'static str, key: &'static str) -> Followed {
    Followed {
        name,
        is_public: false,
        table,
        key,
        owner: NO_OWNER,
        clubs: NO_CLUBS,
        rows: |scope| (*scope == Scope::Everything).then(Conditions::default),
    }
}

const fn for_everyone(name: &'static str, table: &'static str, key: &'static str) -> Followed {
    Followed {
        name,
        is_public: true,
        table,
        key,
        owner: NO_OWNER,
        clubs: NO_CLUBS,
        rows: |_| Some(Conditions::default()),
    }
}

/// The reader's own row, and all for staff.
fn themselves(scope: &Scope) -> Conditions {
    let mut rows = Conditions::default();
    match scope {
        Scope::Everything => {}
        Scope::Own(user_id) | Scope::OwnAndClubs { user_id, .. } => {
            rows.and("user_id = ?", [Bind::Uuid(*user_id)]);
        }
    }
    rows
}

impl fmt::Debug for Followed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}
