//! The catalogue.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{Category, Role};

use crate::declare::events;

events! {
    /// What happens to an entry of the catalogue.
    pub enum LicenseTypeEvent {
        /// The type can be bought.
        LicenseTypeCreated: "2",
        /// The type has a price from a moment on. Orders placed before keep theirs.
        LicenseTypePriceSet: "1",
        /// A price that was to come does not come.
        LicenseTypePriceWithdrawn: "1",
        /// The type can't be bought any more. Orders and licenses that exist stay.
        LicenseTypeRetired: "1",
    }
}

/// What a type is, as orders and licenses carry it with them.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseTypeFacts {
    /// The type's code, for example `konkurranse-bilcross`.
    pub code: String,
    /// Kind of activity.
    pub category: Category,
    /// Branch of the sport, for example `bilcross`.
    pub discipline: String,
    /// What the holder does.
    pub role: Role,
    /// Norwegian name.
    pub name_nb: String,
    /// English name.
    pub name_en: String,
}

/// The type can be bought. Its first price follows as a [`LicenseTypePriceSet`] of the same command.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseTypeCreated {
    /// What the type is.
    #[serde(flatten)]
    pub facts: LicenseTypeFacts,
    /// Youngest age on the activity day, in whole years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<u8>,
    /// Oldest age on the activity day, in whole years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u8>,
    /// How many consecutive days one license may span, 1 to 3.
    pub max_days: u8,
    /// The most licenses of this type that one holder may ever have, if that is limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_cap: Option<u16>,
    /// The tax in its prices.
    #[serde(default)]
    pub tax: Tax,
}

/// The tax in a price.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Tax {
    /// The bookkeeping code, for example `exempt`.
    pub code: String,
    /// Its share of the price without tax, in per mille.
    pub rate_permille: u16,
}

/// What was sold before taxes were recorded was exempt.
impl Default for Tax {
    fn default() -> Self {
        Self {
            code: "exempt".into(),
            rate_permille: 0,
        }
    }
}

/// The type has a price from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseTypePriceSet {
    /// Price of one license, in øre.
    pub price_ore: i64,
    /// From when on orders get it.
    pub valid_from: DateTime<Utc>,
}

/// A price that was not in force yet is withdrawn: before and after that moment the price before it holds.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseTypePriceWithdrawn {
    /// From when on it would have held. Withdraws every price that was set for this moment.
    pub valid_from: DateTime<Utc>,
}

/// The type can't be bought any more.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LicenseTypeRetired {}
