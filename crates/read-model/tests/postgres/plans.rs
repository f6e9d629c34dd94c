//! The statements that are asked all day use the index made for them, with the planner's own settings.

use crate::support::Database;
use anyhow::Result;
use read_model::{
    Direction, LICENSES, LicenseFilter, ORDERS, OrderFilter, PageQuery, Place, Resource, Scope, SortValue,
    page,
};
use uuid::Uuid;

const ROWS: &str = include_str!("rows.sql");

struct Case {
    what: &'static str,
    query: PageQuery,
    index: &'static str,
}

fn orders(what: &'static str, filter: &OrderFilter, scope: &Scope, sort: &str, index: &'static str) -> Case {
    Case {
        what,
        query: query(&ORDERS, filter.within(scope), sort),
        index,
    }
}

fn licenses(
    what: &'static str,
    filter: &LicenseFilter,
    scope: &Scope,
    sort: &str,
    index: &'static str,
) -> Case {
    Case {
        what,
        query: query(&LICENSES, filter.within(scope), sort),
        index,
    }
}

fn query(resource: &'static Resource, conditions: read_model::Conditions, sort: &str) -> PageQuery {
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
    database.client.execute(ROWS, &[&20_000_i32]).await?;
    database.client.batch_execute("analyze").await?;
    let row = database
        .client
        .query_one(
            "select md5('customer1')::uuid, md5('club1')::uuid, md5('order1')::uuid",
            &[],
        )
        .await?;
    let (customer, club, order): (Uuid, Uuid, Uuid) = (row.get(0), row.get(1), row.get(2));
    let all = Scope::Everything;
    let own = Scope::Own(customer);
    let organizer = Scope::OwnAndClubs {
        user_id: Uuid::nil(),
        clubs: vec![club],
    };
    let text = |text: &str| Some(text.to_owned());
    let day = "2026-06-05".parse().ok();
    let any_order = OrderFilter::default();
    let any_license = LicenseFilter::default();
    let cases = [
        orders("newest", &any_order, &all, "created_at", "orders_by_created"),
        orders("dearest", &any_order, &all, "total_ore", "orders_by_total"),
        orders(
            "latest activity",
            &any_order,
            &all,
            "activity_date",
            "orders_by_activity",
        ),
        orders("one's own", &any_order, &own, "created_at", "orders_by_customer"),
        orders(
            "an organizer's",
            &any_order,
            &organizer,
            "created_at",
            "orders_by_club",
        ),
        orders(
            "one by id",
            &OrderFilter {
                order_id: Some(order),
                ..any_order.clone()
            },
            &own,
            "created_at",
            "orders_pkey",
        ),
        orders(
            "in a status",
            &OrderFilter {
                status: text("refund_pending"),
                ..any_order.clone()
            },
            &all,
            "created_at",
            "orders_by_status",
        ),
        orders(
            "of a provider",
            &OrderFilter {
                provider: text("nexi"),
                ..any_order.clone()
            },
            &all,
            "created_at",
            "orders_by_provider",
        ),
        orders(
            "of a customer",
            &OrderFilter {
                customer_id: Some(customer),
                ..any_order.clone()
            },
            &all,
            "created_at",
            "orders_by_customer",
        ),
        orders(
            "by a rare word",
            &OrderFilter {
                q: text("EK22345"),
                ..any_order.clone()
            },
            &all,
            "created_at",
            "orders_by_search",
        ),
        licenses("newest", &any_license, &all, "created_at", "licenses_by_created"),
        licenses(
            "one's own",
            &any_license,
            &own,
            "created_at",
            "licenses_by_customer",
        ),
        licenses(
            "of an order",
            &LicenseFilter {
                order_id: Some(order),
                ..any_license.clone()
            },
            &all,
            "created_at",
            "licenses_by_order",
        ),
        licenses(
            "at a club on a day",
            &LicenseFilter {
                club_id: Some(club),
                activity_from: day,
                activity_to: day,
                ..any_license.clone()
            },
            &organizer,
            "activity_date",
            "licenses_by_club",
        ),
        licenses(
            "of a rare category",
            &LicenseFilter {
                category: text("test"),
                ..any_license.clone()
            },
            &all,
            "created_at",
            "licenses_by_category",
        ),
        licenses(
            "of a rare role",
            &LicenseFilter {
                role: text("codriver"),
                ..any_license.clone()
            },
            &all,
            "created_at",
            "licenses_by_role",
        ),
        licenses(
            "by a rare word",
            &LicenseFilter {
                q: text("bl-12345"),
                ..any_license
            },
            &all,
            "created_at",
            "licenses_by_search",
        ),
    ];
    for case in cases {
        let plan = page::explain(&database.client, &case.query).await?;
        assert!(
            plan.contains(case.index),
            "{} should use {}:\n{plan}",
            case.what,
            case.index
        );
        assert!(
            !plan.contains("Seq Scan on orders") && !plan.contains("Seq Scan on licenses"),
            "{}:\n{plan}",
            case.what
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
    query.after = Some(Place {
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
