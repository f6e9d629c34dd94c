//! Who sees what: every role, every resource, alone and in lists.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::json;
use stack::Role;
use uuid::Uuid;

use crate::rows;
use crate::support::{App, connect, user};

struct World {
    app: App,
    club: Uuid,
    other_club: Uuid,
    /// Name, id.
    orders: Vec<(&'static str, Uuid)>,
    licenses: Vec<(&'static str, Uuid)>,
}

/// Two customers, two clubs: an order of each customer at one club, and one with a line at each.
async fn world() -> Result<World> {
    let app = App::start().await?;
    let (club, other_club) = (Uuid::now_v7(), Uuid::now_v7());
    let (mut orders, mut licenses) = (Vec::new(), Vec::new());
    for (name, customer, clubs) in [
        ("kari at club", "kari", vec![club]),
        ("kari at other club", "kari", vec![other_club]),
        ("ola at club", "ola", vec![club]),
        ("ola at both", "ola", vec![club, other_club]),
        ("organizer at other club", "organizer", vec![other_club]),
        ("ola nowhere", "ola", vec![]),
    ] {
        let row = json!({"customer_id": user(customer), "club_ids": clubs, "order_number": name});
        let order_id = rows::order(&app.projector, row).await?;
        orders.push((name, order_id));
        for club_id in clubs {
            let name = match (customer, club_id == club) {
                ("kari", true) => "kari at club",
                ("kari", false) => "kari at other club",
                ("ola", true) => "ola at club",
                ("ola", false) => "ola at other club",
                (_, _) => "organizer at other club",
            };
            let row = json!({"order_id": order_id, "customer_id": user(customer), "club_id": club_id});
            licenses.push((name, rows::license(&app.projector, row).await?));
        }
    }
    Ok(World {
        app,
        club,
        other_club,
        orders,
        licenses,
    })
}

#[tokio::test]
async fn everyone_sees_what_is_theirs_and_nothing_else() -> Result<()> {
    let world = world().await?;
    let app = &world.app;
    let everything = ["kari", "ola", "organizer"];
    let both = [world.club, world.other_club];
    let cases: [(String, &[&str], &[&str]); 8] = [
        (app.token(Role::Customer, "kari", &[]), &["kari at"], &["kari at"]),
        (app.token(Role::Customer, "ola", &[]), &["ola"], &["ola at"]),
        (app.token(Role::Customer, "other", &[]), &[], &[]),
        (
            app.token(Role::Organizer, "organizer", &[world.club]),
            &["kari at club", "ola at club", "organizer at"],
            &["kari at club", "ola at club", "organizer at"],
        ),
        (
            app.token(Role::Organizer, "organizer", &[]),
            &["organizer at"],
            &["organizer at"],
        ),
        (
            app.token(Role::Organizer, "big organizer", &both),
            &["kari at", "ola at", "organizer at"],
            &everything,
        ),
        (app.token(Role::Staff, "staff", &[]), &everything, &everything),
        (app.token(Role::Admin, "admin", &[]), &everything, &everything),
    ];
    for (token, orders, licenses) in cases {
        let resources = [
            ("orders", "order_id", &world.orders, orders),
            ("licenses", "license_id", &world.licenses, licenses),
        ];
        for (resource, key, rows, visible) in resources {
            let list = app.get(&format!("/api/v1/{resource}?count=true"), &token).await;
            assert_eq!(list.status, StatusCode::OK);
            let listed = list.column(key);
            let mut expected = 0;
            for (name, id) in rows {
                let sees = visible.iter().any(|prefix| name.starts_with(prefix));
                expected += usize::from(sees);
                assert_eq!(
                    listed.contains(&id.to_string()),
                    sees,
                    "{resource} {name} in the list of {visible:?}"
                );
                let one = app.get(&format!("/api/v1/{resource}/{id}"), &token).await;
                let status = if sees {
                    StatusCode::OK
                } else {
                    StatusCode::NOT_FOUND
                };
                assert_eq!(one.status, status, "{resource} {name} for {visible:?}");
                assert_eq!(
                    one.body[key] == id.to_string(),
                    sees,
                    "what is hidden is not in the body either"
                );
            }
            assert_eq!(
                (listed.len(), list.body["total"].as_u64()),
                (expected, Some(expected as u64)),
                "{resource}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_narrows_what_one_may_see_and_never_widens_it() -> Result<()> {
    let world = world().await?;
    let kari = world.app.token(Role::Customer, "kari", &[]);
    let ola = format!("/api/v1/orders?customer_id={}", user("ola"));
    assert_eq!(world.app.get(&ola, &kari).await.column("order_id").len(), 0);
    assert_eq!(
        world
            .app
            .get(&ola, &world.app.staff())
            .await
            .column("order_id")
            .len(),
        3
    );
    let club = format!("/api/v1/licenses?club_id={}", world.club);
    assert_eq!(world.app.get(&club, &kari).await.column("license_id").len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_does_not_exist_looks_like_what_one_may_not_see() -> Result<()> {
    let world = world().await?;
    let kari = world.app.token(Role::Customer, "kari", &[]);
    for resource in ["orders", "licenses"] {
        let rows = if resource == "orders" {
            &world.orders
        } else {
            &world.licenses
        };
        let hidden = rows.iter().find(|(name, _)| name.starts_with("ola")).unwrap().1;
        let (mut a, mut b) = (
            world
                .app
                .get(&format!("/api/v1/{resource}/{hidden}"), &kari)
                .await,
            world
                .app
                .get(&format!("/api/v1/{resource}/{}", Uuid::now_v7()), &kari)
                .await,
        );
        assert!(a.is(404, "not_found"), "{a:?}");
        for answer in [&mut a, &mut b] {
            answer.body["request_id"] = json!(null);
        }
        assert_eq!((a.status, a.body), (b.status, b.body));
    }
    Ok(())
}

#[tokio::test]
async fn personal_data_needs_a_login_and_the_catalogue_does_not() -> Result<()> {
    let app = App::start().await?;
    let id = Uuid::now_v7();
    for path in [
        "orders",
        "licenses",
        &format!("orders/{id}"),
        &format!("licenses/{id}"),
    ] {
        let answer = app.get_anonymously(&format!("/api/v1/{path}")).await;
        assert!(answer.is(401, "unauthorized"), "{path}: {answer:?}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
        let answer = app.get(&format!("/api/v1/{path}"), "not.a.token").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["license-types", "clubs", "terms"] {
        assert_eq!(
            app.get_anonymously(&format!("/api/v1/{path}")).await.status,
            StatusCode::OK,
            "{path}"
        );
        let old = app.get(&format!("/api/v1/{path}"), "an.old.token").await;
        assert_eq!(
            old.status,
            StatusCode::OK,
            "{path}: a public page does not ask who reads it"
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_database_role_can_read_and_nothing_else() -> Result<()> {
    let app = App::start().await?;
    let reader = connect(&app.databases.read_reader).await?;
    let tables = "select tablename from pg_tables where schemaname = 'public'";
    let tables: Vec<String> = reader
        .query(tables, &[])
        .await?
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(tables.contains(&"orders".to_owned()), "{tables:?}");
    for table in tables {
        reader.query(&format!("select * from {table}"), &[]).await?;
        for statement in ["delete from", "truncate", "drop table", "alter table"] {
            let more = if statement == "alter table" {
                " add column x int"
            } else {
                ""
            };
            let error = reader
                .batch_execute(&format!("{statement} {table}{more}"))
                .await
                .unwrap_err();
            assert_eq!(
                error.code().map(tokio_postgres::error::SqlState::code),
                Some("42501"),
                "{statement} {table}"
            );
        }
    }
    assert!(reader.batch_execute("create table mine ()").await.is_err());
    assert!(
        reader
            .batch_execute("update checkpoints set position = 1")
            .await
            .is_err()
    );
    Ok(())
}
