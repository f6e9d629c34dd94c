//! The outlines of orders and licenses, from counters that the projector keeps.

use chrono::NaiveDate;
use query::{FilterValue, Outline, OutlineQuery, Resource, day_that_begins};
use tokio_postgres::GenericClient;

use super::PROJECTION;
use crate::{Error, LICENSES, ORDERS};

const READ_OUTLINE: &str = include_str!("sql/read_outline.sql");

/// The dimension of all rows of a list.
const ALL: &str = "all";

/// A list that is counted, and the filters that are each a dimension of the counters.
struct Counted {
    list: &'static Resource,
    dimensions: &'static [&'static str],
}

static COUNTED: [Counted; 2] = [
    Counted {
        list: &ORDERS,
        dimensions: &["club_id", "license_type", "provider"],
    },
    Counted {
        list: &LICENSES,
        dimensions: &[
            "club_id",
            "license_type",
            "category",
            "discipline",
            "role",
            "checked_in",
        ],
    },
];

/// The counters that say how many rows some filters keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    list: &'static str,
    sort_key: &'static str,
    dimension: &'static str,
    value: String,
    status: Option<String>,
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
}

impl Counters {
    /// Those for what is asked. There are some for a status, together with one of the dimensions and with bounds of the sort
    /// key that are whole days.
    pub fn of(asked: &OutlineQuery) -> Option<Self> {
        let counted = COUNTED
            .iter()
            .find(|counted| counted.list.name == asked.resource.name)?;
        let mut counters = Self {
            list: counted.list.name,
            sort_key: asked.sort.name,
            dimension: ALL,
            value: String::new(),
            status: None,
            first: None,
            last: None,
        };
        for (filter, value) in asked.selection.values() {
            match (filter, asked.sort.name, value) {
                ("status", _, FilterValue::Text(status)) => counters.status = Some(status.clone()),
                ("created_from", "created_at", FilterValue::Moment(from)) => {
                    counters.first = Some(day_that_begins(*from)?);
                }
                // Excluded.
                ("created_to", "created_at", FilterValue::Moment(to)) => {
                    counters.last = Some(day_that_begins(*to)?.pred_opt()?);
                }
                // `activity_from` also keeps what began before that day, and has no counters.
                ("activity_to", "activity_date", FilterValue::Date(to)) => counters.last = Some(*to),
                _ if counters.dimension == ALL && counted.dimensions.contains(&filter) => {
                    counters.dimension = filter;
                    counters.value = match value {
                        FilterValue::Text(text) => text.clone(),
                        FilterValue::Uuid(id) => id.to_string(),
                        FilterValue::Date(_) | FilterValue::Integer(_) | FilterValue::Moment(_) => {
                            return None;
                        }
                    };
                }
                _ => return None,
            }
        }
        Some(counters)
    }
}

/// What counters say, if they are those of the log that there is now.
pub async fn read_outline(client: &impl GenericClient, counters: &Counters) -> Result<Outline, Error> {
    let Counters {
        list,
        sort_key,
        dimension,
        value,
        status,
        first,
        last,
    } = counters;
    let rows = client
        .query(
            READ_OUTLINE,
            &[&PROJECTION, list, sort_key, dimension, value, status, first, last],
        )
        .await?;
    let outline = Outline::read(&rows)?;
    let days = outline.days.filter(|_| !outline.stale);
    Ok(Outline { days, ..outline })
}
