//! Every sort and every filter uses the index that its declaration names, with the planner's own settings.

use std::collections::BTreeSet;

use anyhow::Result;
use query::{
    Conditions, Direction, Edge, PagePosition, PageQuery, Parameters, Resource, Served, SortValue, page,
};
use read_model::{LICENSES, ORDERS, RESOURCES, Scope};
use uuid::Uuid;

use crate::support::Database;

const ROWS: &str = include_str!("rows.sql");

/// With two licenses each, few enough that `analyze` reads every row and always finds the same. From a sample, one word in
/// 200 becomes a bound of the histogram by chance; then the planner takes it to be in 1 % of all rows, and is right to
/// walk through them in the order that is asked for.
const ORDERS_MADE: i32 = 14_000;

/// A value for each filter of the tables that grow, and the sort that it is asked with. The index is the declaration's.
/// `{customer}`, `{club}` and `{order}` are ids that the rows have.
const ASKED: &[(&Resource, &str, &str, &str)] = &[
    (&ORDERS, "status", "status=refund_pending", "created_at"),
    (&ORDERS, "refund_state", "refund_state=failed", "created_at"),
    (
        &ORDERS,
        "club_id",
        "club_id=01990a4e-5a3c-7cc2-9d1e-0a7b6c5d4e3f",
        "created_at",
    ),
    (&ORDERS, "license_type", "license_type=none", "created_at"),
    (&ORDERS, "provider", "provider=nexi", "created_at"),
    (
        &ORDERS,
        "created_from",
        "created_from=2026-01-01T20:00:00Z",
        "created_at",
    ),
    (
        &ORDERS,
        "created_to",
        "created_to=2026-01-01T02:00:00Z",
        "created_at",
    ),
    (&ORDERS, "activity_from", "activity_from=2027-01-01", "created_at"),
    (&ORDERS, "activity_to", "activity_to=2025-12-31", "created_at"),
    (&ORDERS, "total_min_ore", "total_min_ore=100000", "total_ore"),
    (&ORDERS, "total_max_ore", "total_max_ore=2000", "total_ore"),
    (&ORDERS, "customer_id", "customer_id={customer}", "created_at"),
    (&ORDERS, "q", "q=EK22345", "created_at"),
    (&ORDERS, "q", "q=ek-22345", "created_at"),
    (&ORDERS, "q", "q=%2B47 900 22 345", "created_at"),
    (&ORDERS, "q", "q=BL-12345", "created_at"),
    (&ORDERS, "q", "q=9002 2345", "created_at"),
    (&LICENSES, "order_id", "order_id={order}", "created_at"),
    (&LICENSES, "status", "status=revoked", "created_at"),
    (&LICENSES, "club_id", "club_id={club}", "activity_date"),
    (&LICENSES, "license_type", "license_type=none", "created_at"),
    (&LICENSES, "category", "category=test", "created_at"),
    (&LICENSES, "discipline", "discipline=rally", "created_at"),
    (&LICENSES, "role", "role=codriver", "created_at"),
    (&LICENSES, "checked_in", "checked_in=true", "created_at"),
    (
        &LICENSES,
        "activity_from",
        "activity_from=2027-06-05",
        "activity_date",
    ),
    (
        &LICENSES,
        "activity_to",
        "activity_to=2026-01-02",
        "activity_date",
    ),
    (&LICENSES, "holder_id", "holder_id={holder}", "created_at"),
    (&LICENSES, "changed_since", "changed_since=100", "position"),
    (&LICENSES, "q", "q=bl-12345", "created_at"),
];

/// Ids that the rows have.
struct Known {
    customer: Uuid,
    club: Uuid,
    order: Uuid,
    holder: Uuid,
}

/// What is asked, and the index that answers it.
struct Case {
    what: String,
    query: PageQuery,
    index: &'static str,
}

impl Case {
    fn new(what: impl Into<String>, query: PageQuery, index: &'static str) -> Self {
        let what = what.into();
        Self { what, query, index }
    }
}

impl Known {
    fn conditions(&self, resource: &'static Resource, asked: &str, scope: Conditions) -> Conditions {
        let asked = asked
            .replace("{customer}", &self.customer.to_string())
            .replace("{club}", &self.club.to_string())
            .replace("{order}", &self.order.to_string())
            .replace("{holder}", &self.holder.to_string());
        Parameters::of(&asked).select(resource).unwrap().within(scope)
    }

    /// Every sort and every filter of the declarations.
    fn declared(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for resource in [&ORDERS, &LICENSES] {
            for sort in resource.sorts {
                let query = query(resource, Conditions::default(), sort.name);
                cases.push(Case::new(
                    format!("sort={}", sort.name),
                    query,
                    named(sort.served),
                ));
            }
            for filter in resource.filters {
                let asked = ASKED
                    .iter()
                    .filter(|(of, name, ..)| std::ptr::eq(*of, resource) && *name == filter.name);
                let before = cases.len();
                for (_, _, asked, sort) in asked {
                    let conditions = self.conditions(resource, asked, Conditions::default());
                    let query = query(resource, conditions, sort);
                    cases.push(Case::new(*asked, query, named(filter.served)));
                }
                assert!(
                    cases.len() > before,
                    "no value for {} of {}",
                    filter.name,
                    resource.name
                );
            }
        }
        cases
    }

    /// What scopes and pages by id add to them.
    fn scoped(&self) -> Vec<Case> {
        let own = &Scope::Own(self.customer);
        let organizer = &Scope::OwnAndClubs {
            user_id: Uuid::nil(),
            clubs: vec![self.club],
        };
        let created = "created_at";
        let mut one = own.of_orders();
        one.and("order_id = ?", [query::Bind::Uuid(self.order)]);
        let club_and_day = "club_id={club}&activity_from=2026-06-05&activity_to=2026-06-05";
        let club_and_day = self.conditions(&LICENSES, club_and_day, organizer.of_licenses());
        vec![
            Case::new(
                "one's own",
                query(&ORDERS, own.of_orders(), created),
                "orders_by_customer",
            ),
            Case::new(
                "an organizer's",
                query(&ORDERS, organizer.of_orders(), created),
                "orders_by_club",
            ),
            Case::new("one by id", query(&ORDERS, one, created), "orders_pkey"),
            Case::new(
                "one's own",
                query(&LICENSES, own.of_licenses(), created),
                "licenses_by_customer",
            ),
            Case::new(
                "club and day",
                query(&LICENSES, club_and_day, "activity_date"),
                "licenses_by_club",
            ),
        ]
    }
}

fn named(served: Served) -> &'static str {
    match served {
        Served::Index(index) => index,
        Served::SmallTable => panic!("a table that grows needs an index"),
    }
}

fn query(resource: &'static Resource, conditions: Conditions, sort: &str) -> PageQuery {
    PageQuery {
        sort: resource.sort(sort).unwrap(),
        direction: Direction::Descending,
        ..PageQuery::first(resource, conditions, 50)
    }
}

#[tokio::test]
async fn every_sort_and_filter_uses_its_index() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&ORDERS_MADE]).await?;
    // As autovacuum leaves it: without, the text indexes have long lists of entries not yet sorted in.
    database.client.batch_execute("vacuum analyze").await?;
    // `analyze` reads 300 rows for each entry of the statistics.
    let every_row =
        "select count(*) <= 300 * current_setting('default_statistics_target')::int from licenses";
    let every_row: bool = database.client.query_one(every_row, &[]).await?.get(0);
    assert!(every_row, "the statistics are those of a sample");
    let ids = "select md5('customer1')::uuid, md5('club1')::uuid, md5('order1')::uuid, md5('holder1')::uuid";
    let row = database.client.query_one(ids, &[]).await?;
    let known = Known {
        customer: row.get(0),
        club: row.get(1),
        order: row.get(2),
        holder: row.get(3),
    };
    for Case { what, query, index } in known.declared().into_iter().chain(known.scoped()) {
        let plan = page::explain(&database.client, &query).await?;
        let table = query.resource.name;
        assert!(
            plan.contains(index),
            "{table}, {what}: should use {index}\n{plan}"
        );
        assert!(
            !plan.contains(&format!("Seq Scan on {table}")),
            "{table}, {what}:\n{plan}"
        );
    }
    a_deep_page_starts_where_the_index_says(&database).await
}

/// The small tables too: there the planner reads all rows, so that a plan says nothing.
#[tokio::test]
async fn every_index_that_is_named_exists() -> Result<()> {
    let database = Database::migrated().await?;
    for resource in RESOURCES {
        let indexes = "select indexname::text from pg_indexes where schemaname = 'public' and tablename = $1";
        let rows = database.client.query(indexes, &[&resource.table]).await?;
        let indexes: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let sorts = resource.sorts.iter().map(|sort| sort.served);
        let filters = resource.filters.iter().map(|filter| filter.served);
        for served in sorts.chain(filters) {
            if let Served::Index(name) = served {
                assert!(indexes.contains(name), "{name} is not among {indexes:?}");
            }
        }
    }
    Ok(())
}

async fn a_deep_page_starts_where_the_index_says(database: &Database) -> Result<()> {
    let mut query = query(&ORDERS, Conditions::default(), "created_at");
    let sort = SortValue::Timestamp("2026-01-01T01:00:00Z".parse()?);
    query.edge = Some(Edge::after(PagePosition {
        sort,
        id: Uuid::max(),
    }));
    let plan = page::explain(&database.client, &query).await?;
    assert!(
        plan.contains("orders_by_created") && plan.contains("Index Cond: (ROW(created_at, order_id)"),
        "{plan}"
    );
    assert!(
        !plan.contains("Rows Removed"),
        "the index leads to the first row of the page:\n{plan}"
    );
    Ok(())
}
