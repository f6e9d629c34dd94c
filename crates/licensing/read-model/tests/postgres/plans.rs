//! The statements that are asked all day use the index made for them, with the planner's own settings.

use anyhow::Result;
use chrono::NaiveDate;
use read_model::{
    Conditions, Direction, LICENSES, LicenseFilter, ORDERS, OrderFilter, PagePosition, PageQuery, Resource,
    Scope, SortValue, page,
};
use uuid::Uuid;

use crate::support::Database;

const ROWS: &str = include_str!("rows.sql");

/// With two licenses each, so few that `analyze` reads every row and always finds the same. From a sample, one word in
/// 200 becomes a bound of the histogram by chance; then the planner takes it to be in 1 % of all rows, and is right to
/// walk through them in the order that is asked for.
const ORDERS_MADE: i32 = 14_000;

/// What is asked, and the index that answers it.
struct Case {
    what: &'static str,
    query: PageQuery,
    index: &'static str,
}

/// Ids and filters that the rows have.
struct Asked {
    customer: Uuid,
    club: Uuid,
    order: Uuid,
}

impl Asked {
    fn orders(&self) -> Vec<Case> {
        let case = |what, sort, index, scope: &Scope, choose: &dyn Fn(&mut OrderFilter)| {
            let mut filter = OrderFilter::default();
            choose(&mut filter);
            Case {
                what,
                query: query(&ORDERS, filter.within(scope), sort),
                index,
            }
        };
        let all = &Scope::Everything;
        let own = &Scope::Own(self.customer);
        let organizer = &Scope::OwnAndClubs {
            user_id: Uuid::nil(),
            clubs: vec![self.club],
        };
        let created = "created_at";
        vec![
            case("newest", created, "orders_by_created", all, &|_| {}),
            case("dearest", "total_ore", "orders_by_total", all, &|_| {}),
            case(
                "latest activity",
                "activity_date",
                "orders_by_activity",
                all,
                &|_| {},
            ),
            case("one's own", created, "orders_by_customer", own, &|_| {}),
            case("an organizer's", created, "orders_by_club", organizer, &|_| {}),
            case("one by id", created, "orders_pkey", own, &|f| {
                f.order_id = Some(self.order);
            }),
            case("status", created, "orders_by_status", all, &|f| {
                f.status = Some("refund_pending".into());
            }),
            case("provider", created, "orders_by_provider", all, &|f| {
                f.provider = Some("nexi".into());
            }),
            case("customer", created, "orders_by_customer", all, &|f| {
                f.customer_id = Some(self.customer);
            }),
            case("rare word", created, "orders_by_search", all, &|f| {
                f.q = Some("EK22345".into());
            }),
            case("plate", created, "orders_by_search", all, &|f| {
                f.q = Some("ek-22345".into());
            }),
            case("phone", created, "orders_by_search", all, &|f| {
                f.q = Some("+47 900 22 345".into());
            }),
            case("order number", created, "orders_by_search", all, &|f| {
                f.q = Some("BL-12345".into());
            }),
            case("number in long parts", created, "orders_by_search", all, &|f| {
                f.q = Some("9002 2345".into());
            }),
        ]
    }

    fn licenses(&self) -> Vec<Case> {
        let case = |what, sort, index, scope: &Scope, choose: &dyn Fn(&mut LicenseFilter)| {
            let mut filter = LicenseFilter::default();
            choose(&mut filter);
            Case {
                what,
                query: query(&LICENSES, filter.within(scope), sort),
                index,
            }
        };
        let all = &Scope::Everything;
        let own = &Scope::Own(self.customer);
        let organizer = &Scope::OwnAndClubs {
            user_id: Uuid::nil(),
            clubs: vec![self.club],
        };
        let created = "created_at";
        let club_and_day = |filter: &mut LicenseFilter| {
            filter.club_id = Some(self.club);
            filter.activity_from = NaiveDate::from_ymd_opt(2026, 6, 5);
            filter.activity_to = filter.activity_from;
        };
        vec![
            case("newest", created, "licenses_by_created", all, &|_| {}),
            case("one's own", created, "licenses_by_customer", own, &|_| {}),
            case("of an order", created, "licenses_by_order", all, &|f| {
                f.order_id = Some(self.order);
            }),
            case(
                "club and day",
                "activity_date",
                "licenses_by_club",
                organizer,
                &club_and_day,
            ),
            case("category", created, "licenses_by_category", all, &|f| {
                f.category = Some("test".into());
            }),
            case("role", created, "licenses_by_role", all, &|f| {
                f.role = Some("codriver".into());
            }),
            case("rare word", created, "licenses_by_search", all, &|f| {
                f.q = Some("bl-12345".into());
            }),
        ]
    }
}

fn query(resource: &'static Resource, conditions: Conditions, sort: &str) -> PageQuery {
    PageQuery {
        resource,
        columns: resource.columns.iter().collect(),
        conditions,
        sort: resource.sort(sort).unwrap(),
        direction: Direction::Descending,
        after: None,
        limit: 50,
        count: false,
    }
}

#[tokio::test]
async fn hot_statements_use_their_index() -> Result<()> {
    let database = Database::migrated().await?;
    database.client.execute(ROWS, &[&ORDERS_MADE]).await?;
    // As autovacuum leaves it: without, the text indexes have long lists of entries not yet sorted in.
    database.client.batch_execute("vacuum analyze").await?;
    // `analyze` reads 300 rows for each entry of the statistics.
    let every_row =
        "select count(*) <= 300 * current_setting('default_statistics_target')::int from licenses";
    let every_row: bool = database.client.query_one(every_row, &[]).await?.get(0);
    assert!(every_row, "the statistics are those of a sample");
    let ids = "select md5('customer1')::uuid, md5('club1')::uuid, md5('order1')::uuid";
    let row = database.client.query_one(ids, &[]).await?;
    let asked = Asked {
        customer: row.get(0),
        club: row.get(1),
        order: row.get(2),
    };
    for Case { what, query, index } in asked.orders().into_iter().chain(asked.licenses()) {
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

async fn a_deep_page_starts_where_the_index_says(database: &Database) -> Result<()> {
    let mut query = query(
        &ORDERS,
        OrderFilter::default().within(&Scope::Everything),
        "created_at",
    );
    let sort = SortValue::Timestamp("2026-01-01T01:00:00Z".parse()?);
    query.after = Some(PagePosition {
        sort,
        id: Uuid::max(),
    });
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
