//! `license_types`.

use chrono::{DateTime, Utc};
use envelope::RecordedEvent;
use events::{LicenseTypeCreated, LicenseTypeEvent};
use read_model::write::{LicenseTypeRow, Price};
use read_model::{LicenseTypeStatus, Term, searched};
use tokio_postgres::types::Json;

use super::slot::{create, stamp};
use crate::bounds;
use crate::misfit::Misfit;

pub(super) fn apply(
    slot: &mut Option<LicenseTypeRow>,
    recorded: &RecordedEvent,
    event: LicenseTypeEvent,
) -> Result<(), Misfit> {
    match event {
        LicenseTypeEvent::LicenseTypeCreated(created) => create(slot, row(recorded, created)?),
        LicenseTypeEvent::LicenseTypePriceSet(set) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            let price = Price {
                price_ore: bounds::amount(set.price_ore, "price_ore")?,
                valid_from: bounds::not_before(set.valid_from, "valid_from")?,
            };
            add(&mut row.prices.0, price, recorded.recorded_at);
            touch(row, recorded);
            Ok(())
        }
        LicenseTypeEvent::LicenseTypePriceWithdrawn(withdrawn) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            row.prices
                .0
                .retain(|price| price.valid_from != withdrawn.valid_from);
            touch(row, recorded);
            Ok(())
        }
        LicenseTypeEvent::LicenseTypeRetired(_) => {
            let row = slot.as_mut().ok_or(Misfit::NoRow)?;
            row.status = LicenseTypeStatus::Retired.into();
            row.retired_at = Some(recorded.recorded_at);
            touch(row, recorded);
            Ok(())
        }
    }
}

/// How many prices that held before are shown.
const EARLIER_PRICES: usize = 20;

/// Of prices with one start, the one decided last holds. Of those that held before, only the latest are kept.
fn add(prices: &mut Vec<Price>, price: Price, now: DateTime<Utc>) {
    prices.retain(|other| other.valid_from != price.valid_from);
    prices.push(price);
    let mut held: Vec<_> = prices
        .iter()
        .map(|price| price.valid_from)
        .filter(|valid_from| *valid_from <= now)
        .collect();
    // The one in force is among them.
    if held.len() > EARLIER_PRICES + 1 {
        held.sort_unstable();
        let first = held[held.len() - EARLIER_PRICES - 1];
        prices.retain(|price| price.valid_from >= first);
    }
}

/// The prices changed with this event.
fn touch(row: &mut LicenseTypeRow, recorded: &RecordedEvent) {
    // A price from a year that no column can hold is shown, so that it can be withdrawn. It is never valid.
    let columns = row.prices.0.iter().filter_map(|price| {
        let valid_from = bounds::moment(price.valid_from, "valid_from").ok()?;
        Some((price.price_ore, valid_from))
    });
    (row.prices_ore, row.prices_valid_from) = columns.unzip();
    row.updated_at = recorded.recorded_at;
    (row.version, row.position) = stamp(recorded);
}

fn row(recorded: &RecordedEvent, created: LicenseTypeCreated) -> Result<LicenseTypeRow, Misfit> {
    let LicenseTypeCreated {
        facts,
        min_age,
        max_age,
        max_days,
        lifetime_cap,
        tax,
    } = created;
    let (version, position) = stamp(recorded);
    bounds::indexed(&facts.code, "code")?;
    bounds::indexed(&facts.name_nb, "name_nb")?;
    let names = [&facts.code, &facts.name_nb, &facts.name_en];
    let search = searched(names.map(|name| Term::Words(name)));
    Ok(LicenseTypeRow {
        license_type_id: recorded.aggregate_id,
        code: facts.code,
        category: facts.category.into(),
        discipline: facts.discipline,
        role: facts.role.into(),
        name_nb: facts.name_nb,
        name_en: facts.name_en,
        prices: Json(Vec::new()),
        prices_ore: Vec::new(),
        prices_valid_from: Vec::new(),
        min_age: min_age.map(Into::into),
        max_age: max_age.map(Into::into),
        max_days: max_days.into(),
        lifetime_cap: lifetime_cap.map(Into::into),
        tax_code: tax.code,
        tax_rate_permille: tax.rate_permille.into(),
        status: LicenseTypeStatus::Active.into(),
        retired_at: None,
        search,
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use envelope::{Metadata, Position, RecordedEvent};
    use events::{
        Category, LicenseTypeCreated, LicenseTypeEvent, LicenseTypeFacts, LicenseTypePriceSet,
        LicenseTypePriceWithdrawn, LicenseTypeRetired, Role, Tax,
    };
    use read_model::write::Price;
    use uuid::Uuid;

    use super::{EARLIER_PRICES, add, apply};

    fn recorded(number: u64) -> RecordedEvent {
        RecordedEvent {
            position: Position::new(number * 10),
            aggregate_type: "license_type".into(),
            aggregate_id: Uuid::nil(),
            sequence: number,
            event_type: "LicenseType".into(),
            event_version: "1".into(),
            payload: serde_json::value::to_raw_value(&()).unwrap(),
            metadata: Metadata::default(),
            recorded_at: DateTime::<Utc>::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_withdrawn_price_leaves_the_list_and_no_other_does() {
        let facts = LicenseTypeFacts {
            code: "test".into(),
            category: Category::Test,
            discipline: "bil".into(),
            role: Role::Driver,
            name_nb: "Test".into(),
            name_en: "Test".into(),
        };
        let day = |days| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(days);
        let set = |price_ore, valid_from| LicenseTypePriceSet {
            price_ore,
            valid_from,
        };
        let history: [LicenseTypeEvent; 6] = [
            LicenseTypeCreated {
                facts,
                min_age: None,
                max_age: None,
                max_days: 1,
                lifetime_cap: None,
                tax: Tax::default(),
            }
            .into(),
            set(100, day(1)).into(),
            set(200, day(2)).into(),
            set(250, day(2)).into(),
            set(300, day(3)).into(),
            LicenseTypePriceWithdrawn { valid_from: day(2) }.into(),
        ];
        let mut row = None;
        for (number, event) in (1..).zip(history) {
            apply(&mut row, &recorded(number), event).unwrap();
        }
        let row = row.unwrap();
        let prices: Vec<_> = row.prices.0.iter().map(|price| price.price_ore).collect();
        assert_eq!(prices, [100, 300]);
        assert_eq!(row.prices_ore, [100, 300]);
        assert_eq!((row.version, row.position), (6, 60));
        assert_eq!(row.retired_at, None);
        let mut row = Some(row);
        apply(&mut row, &recorded(7), LicenseTypeRetired {}.into()).unwrap();
        assert_eq!(row.unwrap().retired_at, Some(day(0)), "the moment of the event");
    }

    #[test]
    fn of_the_prices_that_held_before_the_latest_are_shown() {
        let hour = |hours| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::hours(hours);
        let mut prices = Vec::new();
        let price = |hours| Price {
            price_ore: hours,
            valid_from: hour(hours),
        };
        add(&mut prices, price(5000), hour(0));
        for hours in 1..=1000 {
            add(&mut prices, price(hours), hour(hours));
        }
        let shown: Vec<_> = prices.iter().map(|price| price.price_ore).collect();
        let earlier = i64::try_from(EARLIER_PRICES).unwrap();
        let mut expected = vec![5000];
        expected.extend(1000 - earlier..=1000);
        assert_eq!(shown, expected);
    }
}
