//! Events' values as the tables hold them: names of enums, JSON in clear, and the text that is searched.

use events::{Category, Guardian, Holder, Role, Vehicle};
use serde_json::{Value, json};

pub(super) fn category(category: Category) -> &'static str {
    match category {
        Category::Competition => "competition",
        Category::Training => "training",
        Category::TrackDay => "track_day",
        Category::Passenger => "passenger",
        Category::Test => "test",
    }
}

pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Driver => "driver",
        Role::Codriver => "codriver",
        Role::Companion => "companion",
        Role::Passenger => "passenger",
    }
}

pub(super) fn guardian(guardian: &Guardian) -> Value {
    json!({
        "name": guardian.name.expose(),
        "phone": guardian.phone.expose(),
        "consent": guardian.consent,
    })
}

pub(super) fn vehicle(vehicle: &Vehicle) -> Value {
    let mut object = serde_json::Map::new();
    for (name, value) in [
        ("registration", &vehicle.registration),
        ("vehicle_license", &vehicle.vehicle_license),
        ("chassis", &vehicle.chassis),
    ] {
        if let Some(value) = value {
            object.insert(name.to_owned(), value.expose().as_str().into());
        }
    }
    Value::Object(object)
}

/// What `q` finds an order or a license by, besides its number.
pub(super) fn search_terms<'a>(
    holder: &'a Holder,
    vehicle: Option<&'a Vehicle>,
) -> impl Iterator<Item = &'a str> {
    let of_vehicle =
        vehicle.map(|vehicle| [&vehicle.registration, &vehicle.vehicle_license, &vehicle.chassis]);
    let optional = [&holder.email, &holder.phone]
        .into_iter()
        .chain(of_vehicle.into_iter().flatten());
    std::iter::once(&holder.name)
        .chain(optional.filter_map(Option::as_ref))
        .map(|personal| personal.expose().as_str())
}

#[cfg(test)]
mod tests {
    use super::{category, role};
    use events::{Category, Role};

    /// The API filters by the same words that events carry.
    #[test]
    fn names_are_the_ones_of_the_events() {
        let categories = [
            Category::Competition,
            Category::Training,
            Category::TrackDay,
            Category::Passenger,
            Category::Test,
        ];
        for value in categories {
            assert_eq!(serde_json::to_value(value).unwrap(), category(value));
        }
        for value in [Role::Driver, Role::Codriver, Role::Companion, Role::Passenger] {
            assert_eq!(serde_json::to_value(value).unwrap(), role(value));
        }
    }
}
