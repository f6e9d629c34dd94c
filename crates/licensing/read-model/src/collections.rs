//! The rows that many readers get the same answers from, and these answers. The projector gives a collection another version
//! with every change of its rows, and `query-api` keeps copies of answers by the versions that they were read from.

use query::{Collection, Shared};

use crate::checkpoint::PROJECTION;
use crate::{CLUBS as CLUB_LIST, LICENSE_TYPES as CATALOGUE, TERMS as TERMS_LIST, reports};

/// The rows of `license_types`.
pub const LICENSE_TYPES: Collection = of_licensing("license_types");
/// The rows of `clubs`.
pub const CLUBS: Collection = of_licensing("clubs");
/// The rows of `terms`.
pub const TERMS: Collection = of_licensing("terms");
/// The rows of `sales` in the schema of the reports.
pub const SALES: Collection = of_reports("sales");
/// The rows of `activities` and `activity_license_types` there.
pub const ACTIVITIES: Collection = of_reports("activities");

/// The catalogue. A price comes into force by the clock alone.
pub static SHARED_LICENSE_TYPES: Shared = Shared {
    name: CATALOGUE.name,
    of: &[LICENSE_TYPES],
    changes_at: Some(
        "(select min(starts.at) from license_types, unnest(prices_valid_from) as starts(at) where starts.at > now())",
    ),
};

/// The clubs.
pub static SHARED_CLUBS: Shared = Shared {
    name: CLUB_LIST.name,
    of: &[CLUBS],
    changes_at: None,
};

/// The terms. A version comes into force by the clock alone.
pub static SHARED_TERMS: Shared = Shared {
    name: TERMS_LIST.name,
    of: &[TERMS],
    changes_at: Some("(select min(valid_from) from terms where valid_from > now())"),
};

/// The activities, with the names that clubs have today.
pub static SHARED_ACTIVITIES: Shared = Shared {
    name: reports::ACTIVITIES.name,
    of: &[ACTIVITIES, CLUBS],
    changes_at: None,
};

/// The sales report, with the names that clubs and license types have today.
pub static SHARED_SALES: Shared = Shared {
    name: "sales",
    of: &[SALES, CLUBS, LICENSE_TYPES],
    changes_at: None,
};

/// Every answer that is kept.
pub static SHARED: &[&Shared] = &[
    &SHARED_LICENSE_TYPES,
    &SHARED_CLUBS,
    &SHARED_TERMS,
    &SHARED_ACTIVITIES,
    &SHARED_SALES,
];

const fn of_licensing(name: &'static str) -> Collection {
    Collection {
        projection: PROJECTION,
        schema: "public",
        name,
    }
}

const fn of_reports(name: &'static str) -> Collection {
    Collection {
        projection: reports::PROJECTION,
        schema: reports::SCHEMA,
        name,
    }
}
