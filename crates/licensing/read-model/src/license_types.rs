//! The catalogue: its table and its resource.

use chrono::{DateTime, Utc};
use query::{Filter, Sort, Word, index, small_table};
use serde::{Deserialize, Serialize};
use tokio_postgres::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;
use vocabulary::{Category, LicenseTypeStatus, Role, Word as _};

use crate::checkpoint::PROJECTION;

/// A price of a license type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// In øre.
    #[schema(example = 42_000)]
    pub price_ore: i64,
    /// When it comes into force.
    pub valid_from: DateTime<Utc>,
}

query::shapes!(Price);

query::resource! {
    /// A row of `license_types`.
    #[derive(PartialEq)]
    row LicenseTypeRow;

    /// The catalogue: license types with today's prices.
    resource LICENSE_TYPES = "license-types" {
        schema: "LicenseType",
        projection: PROJECTION,
        table: "license_types",
        key: license_type_id,
        audience: Public,
        default: Ascending,
        example: include_str!("../../../../schemas/openapi/examples/license_types.json"),
    }

    columns {
        license_type_id: Uuid, Shown, "Id of the license type.";
        code: String, Shown, "Stable code used by orders.";
        category: Word<Category>, Shown, "What kind of activity it is for.";
        discipline: String, Shown, "Discipline, for example bilcross.";
        role: Word<Role>, Shown, "What the holder does.";
        name_nb: String, Shown, "Name in Norwegian (bokmål).";
        name_en: String, Shown, "Name in English.";
        prices: Json<Vec<Price>> as Vec<Price>, Shown, "Prices in the order they were set: those that are coming, the one in force and the latest ones before it.";
        prices_ore: Vec<i64>, Internal, "The amounts of those prices that can come into force, in øre.";
        prices_valid_from: Vec<DateTime<Utc>>, Internal, "The starts of those prices.";
        min_age: Option<i32>, Shown, "Youngest age in years on the activity date; null for none.";
        max_age: Option<i32>, Shown, "Oldest age in years on the activity date; null for none.";
        max_days: i32, Shown, "Most consecutive days one license may span.";
        lifetime_cap: Option<i32>, Shown, "Most licenses of the type that one holder may ever have; null for no limit.";
        tax_code: String, Shown, "Bookkeeping code of the tax in its prices.";
        tax_rate_permille: i32, Shown, "That tax as a share of the price without it, in per mille.";
        status: Word<LicenseTypeStatus>, Shown, "Whether it can be bought.";
        retired_at: Option<DateTime<Utc>>, Shown, "When it was retired, if it was.";
        search: String, Internal, "What `q` searches.";
        created_at: DateTime<Utc>, Shown, "When the type was added.";
        updated_at: DateTime<Utc>, Shown, "When the last event of the type was recorded.";
        version: i64, Shown, "Sequence of the last applied event of the type.";
        position: i64, Internal, "Log position of the last event that changed the row.";
    }

    computed {
        // Prices come into force by themselves, so today's is found when it is asked for.
        price_ore after name_en: Option<i64> = "(select ore
              from unnest(prices_ore, prices_valid_from) with ordinality as listed(ore, valid_from, place)
              where valid_from <= now()
              order by valid_from desc, place desc
              limit 1)", "Today's price in øre, or that of `as_of`; null before the first comes into force.";
    }

    sorts {
        Sort::text("code", "code", index("license_types_code_key"));
        Sort::text("name_nb", r#"name_nb collate "nb-x-icu""#, index("license_types_by_name"));
    }

    filters {
        Filter::word("category", Category::texts, "category = ?", small_table(), "Of this category.");
        Filter::word("role", Role::texts, "role = ?", small_table(), "For this role.");
        Filter::word("status", LicenseTypeStatus::texts, "status = ?", small_table(), "In this status.");
        Filter::moment_from(
            "as_of",
            "created_at <= ? and (retired_at is null or retired_at > ?)",
            small_table(),
            "Offered at this moment, with the price of then as `price_ore`: null before the first price, and before those in \
             `prices`. A date means its first moment in Norway. `status` is today's.",
        )
        .as_of();
        Filter::search("search", small_table(), "Found by this in code or names.");
    }
}
