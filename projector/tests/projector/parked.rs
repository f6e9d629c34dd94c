//! Parked aggregates: listed, retried, and released after the cause is removed, while the projector runs.

use event_store::NewEvent;
use projector::Licensing;
use serde_json::json;
use uuid::Uuid;

use crate::shop;
use crate::world::{World, eventually};

const STOP: &str = "alter table license_types add constraint test_stop check (code <> 'sick') not valid";
const MEND: &str = "alter table license_types drop constraint test_stop";
const REFUSED: &str = "the database refused its row: SQLSTATE 23514 license_types test_stop";

async fn as_read_owner(world: &World, sql: &str) {
    world.read.get().await.unwrap().batch_execute(sql).await.unwrap();
}

async fn version(world: &World) -> i64 {
    world
        .count("select coalesce(max(version), 0) from license_types where code = 'sick'")
        .await
}

#[tokio::test]
async fn what_waits_is_listed_with_its_reason_and_is_let_go_when_that_is_gone() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    let none = world.command(&["parked", "list"]).await;
    assert_eq!((none.code, none.out.as_str()), (0, "nothing is parked\n"));

    as_read_owner(&world, STOP).await;
    let sick = Uuid::now_v7();
    world.append([shop::license_type(sick, "sick")]).await;
    world.append([vec![shop::price(sick, 3, 1_000)]]).await;
    let last = world.append(shop::purchase(1)).await;
    world.projected_to(last).await;

    let listed = world.command(&["parked", "list", "--json"]).await.ended(1);
    let one = &listed[0];
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(
        (&one["aggregate_type"], &one["aggregate_id"]),
        (&json!("license_type"), &json!(sick))
    );
    assert_eq!(
        (&one["events"], &one["first_position"], &one["last_position"]),
        (&json!(3), &json!(1), &json!(3))
    );
    assert_eq!(one["reason"], REFUSED);
    let text = world.command(&["parked", "list"]).await;
    assert!(
        text.out.contains(&format!(
            "license_type {sick}: 3 events, positions 1 to 3, since "
        )),
        "{text:?}"
    );
    world
        .command(&["status", "--json"])
        .await
        .unwell("3 events are parked");

    // The cause is still there.
    let still = world.command(&["parked", "retry", "--all"]).await;
    assert_eq!(still.code, 1, "{still:?}");
    assert!(
        still.out.contains("parked aggregate still waits") && still.out.contains(REFUSED),
        "{still:?}"
    );
    assert_eq!(
        world.command(&["parked", "list", "--json"]).await.ended(1),
        listed
    );

    as_read_owner(&world, MEND).await;
    // Another one's retry leaves it alone.
    let id = Uuid::now_v7().to_string();
    let other = [
        "parked",
        "retry",
        "--aggregate-type",
        "license_type",
        "--aggregate-id",
        &id,
    ];
    assert_eq!(world.command(&other).await.code, 0);
    assert_eq!(version(&world).await, 0);
    let id = sick.to_string();
    let this = [
        "parked",
        "retry",
        "--aggregate-type",
        "license_type",
        "--aggregate-id",
        &id,
    ];
    let released = world.command(&this).await;
    assert_eq!(released.code, 0, "{released:?}");
    assert!(released.out.contains("parked aggregate released"), "{released:?}");
    assert_eq!(version(&world).await, 3);
    // And from now on it flows.
    let last = world.append([vec![shop::price(sick, 4, 2_000)]]).await;
    world.projected_to(last).await;
    assert_eq!(version(&world).await, 4);
    running.stop().await;
    world.command(&["verify", "--json"]).await.well();
}

#[tokio::test]
async fn what_fits_is_applied_and_the_rest_waits_for_the_new_reason() {
    let world = World::shared().await;
    let running = world.projector().await;
    as_read_owner(&world, STOP).await;
    let sick = Uuid::now_v7();
    world.append([shop::license_type(sick, "sick")]).await;
    let last = world
        .append((3..6).map(|n| vec![shop::price(sick, n, 1_000)]))
        .await;
    world.projected_to(last).await;
    let prices = "check (jsonb_array_length(prices) < 3)";
    let other = format!("{MEND}; alter table license_types add constraint test_prices {prices}");
    as_read_owner(&world, &other).await;
    let stuck = world.command(&["parked", "retry", "--all"]).await;
    assert_eq!(stuck.code, 1, "{stuck:?}");
    assert_eq!(version(&world).await, 3);
    let client = world.read.get().await.unwrap();
    let left = client
        .query(
            "select position, reason from parked_events order by position",
            &[],
        )
        .await
        .unwrap();
    let left: Vec<(i64, String)> = left.iter().map(|row| (row.get(0), row.get(1))).collect();
    let reason = REFUSED.replace("test_stop", "test_prices");
    assert_eq!(left, [(4, reason), (5, "waits behind position 4".to_owned())]);
    as_read_owner(&world, "alter table license_types drop constraint test_prices").await;
    assert_eq!(world.command(&["parked", "retry", "--all"]).await.code, 0);
    assert_eq!(version(&world).await, 5);
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn an_event_of_a_newer_build_waits_for_that_build() {
    let world = World::shared().await;
    let running = world.projector().await;
    let sick = Uuid::now_v7();
    let unknown = NewEvent {
        event_type: "LicenseTypeReimagined".into(),
        event_version: "9".into(),
        ..shop::price(sick, 3, 1_000)
    };
    let last = world
        .append([shop::license_type(sick, "sick"), vec![unknown]])
        .await;
    world.projected_to(last).await;
    let stuck = world.command(&["parked", "retry", "--all"]).await;
    assert_eq!(stuck.code, 1, "{stuck:?}");
    assert!(
        stuck
            .out
            .contains("unknown event LicenseTypeReimagined version 9"),
        "{stuck:?}"
    );
    running.stop().await;
    // Not well, but what a replay by this build gives.
    world.publish_once().await;
    let said = world.command(&["verify", "--json"]).await;
    let seen = said.unwell("1 events are parked");
    assert_eq!(seen["problems"].as_array().unwrap().len(), 1);
    assert_eq!(seen["rows_proof"]["tables_that_differ"], 0);
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn no_event_of_the_aggregate_slips_in_while_it_is_tried_again() {
    let world = World::shared().await;
    let running = world.projector().await;
    let sick = Uuid::now_v7();
    let mut last = world.append([shop::license_type(sick, "sick")]).await;
    world.projected_to(last).await;
    let mut sequence = 2;
    for round in 0..4 {
        as_read_owner(&world, STOP).await;
        sequence += 1;
        last = world.append([vec![shop::price(sick, sequence, 1_000)]]).await;
        world.projected_to(last).await;
        assert_eq!(
            world.count("select count(*) from parked_events").await,
            1,
            "round {round}"
        );
        as_read_owner(&world, MEND).await;
        let prices = (sequence + 1..sequence + 41).map(|n| vec![shop::price(sick, n, 1_000)]);
        let (reached, retried) = tokio::join!(
            world.append(prices),
            projection::parked::retry(&Licensing, &world.read, &world.log, "license_type", sick)
        );
        sequence += 40;
        last = reached;
        assert!(matches!(
            retried.unwrap(),
            projection::parked::Retried::Released { events: 1.. }
        ));
        world.projected_to(last).await;
        // What came before the retry waits no longer, and nothing began to wait after it.
        eventually("nothing waits", async || {
            match world.count("select count(*) from parked_events").await {
                0 => Ok(()),
                left => Err(format!("{left} events")),
            }
        })
        .await;
    }
    assert_eq!(version(&world).await, i64::try_from(sequence).unwrap());
    running.stop().await;
    world.assert_equals_replay().await;
}

#[tokio::test]
async fn a_retry_must_say_of_what_and_a_database_that_is_away_is_said() {
    let world = World::shared().await;
    let said = world.command(&["parked", "retry"]).await;
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--all"), "{said:?}");
    let away = [
        "parked",
        "list",
        "--read-database-url",
        "postgres://127.0.0.1:1/read",
    ];
    let said = world.command(&away).await;
    assert_eq!(said.code, 2);
    assert!(said.err.starts_with("projector parked: "), "{said:?}");
}

/// What Prometheus gets from a projector that serves.
async fn scrape(port: u16) -> Result<String, String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let asking = async {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    asking.await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn retries_are_counted_by_the_projector_that_serves() {
    let world = World::shared().await;
    as_read_owner(&world, STOP).await;
    let last = world.append([shop::license_type(Uuid::now_v7(), "sick")]).await;
    let (serving, port) = world.serve();
    world.projected_to(last).await;
    eventually("both projections listen", async || {
        let listening = "select count(*) from pg_stat_activity where query = 'listen parked_retried' and datname = current_database()";
        (world.count(listening).await == 2).then_some(()).ok_or_else(String::new)
    })
    .await;
    assert_eq!(world.command(&["parked", "retry", "--all"]).await.code, 1);
    as_read_owner(&world, MEND).await;
    assert_eq!(world.command(&["parked", "retry", "--all"]).await.code, 0);
    eventually("both are counted", async || {
        let scraped = scrape(port).await?;
        let counted = |outcome: &str| {
            let retries = format!("outcome=\"{outcome}\"");
            scraped.lines().any(|line| {
                line.starts_with("bilsport_projector_parked_retries_total{")
                    && line.contains(&retries)
                    && line.ends_with(" 1")
            })
        };
        (counted("stuck") && counted("released"))
            .then_some(())
            .ok_or(scraped)
    })
    .await;
    drop(serving);
}

/// What an older build parked: an event that it could not apply and this one can, and one that neither knows.
#[tokio::test]
async fn a_new_build_tries_what_an_older_one_parked_by_itself_and_once() {
    let world = World::shared().await;
    world.relay().await;
    let running = world.projector().await;
    as_read_owner(&world, STOP).await;
    let (healed, unknown) = (Uuid::now_v7(), Uuid::now_v7());
    let reimagined = NewEvent {
        event_type: "LicenseTypeReimagined".into(),
        event_version: "9".into(),
        ..shop::price(unknown, 3, 1_000)
    };
    let last = world
        .append([
            shop::license_type(healed, "sick"),
            shop::license_type(unknown, "unknown"),
            vec![reimagined],
            vec![shop::price(unknown, 4, 2_000)],
            vec![shop::price(healed, 3, 3_000)],
        ])
        .await;
    world.projected_to(last).await;
    running.stop().await;
    as_read_owner(&world, MEND).await;
    as_read_owner(&world, "update parked_events set builds = '{older}'").await;
    let said = world
        .command(&["status", "--json"])
        .await
        .unwell("5 events are parked");
    assert_eq!(said["parked_untried"], 2);

    let (serving, _) = world.serve();
    eventually("both were tried", async || {
        let left = world
            .count("select count(*) from parked_events where builds = '{older}' and reason not like 'waits%'")
            .await;
        (left == 0).then_some(()).ok_or_else(|| left.to_string())
    })
    .await;
    assert_eq!(world.count("select count(*) from parked_events").await, 2);
    let builds = format!(
        "select count(*) from parked_events where builds = array['older', '{}']",
        projector::BUILD
    );
    assert_eq!(world.count(&builds).await, 1, "it says who tried");
    let said = world
        .command(&["status", "--json"])
        .await
        .unwell("2 events are parked");
    assert_eq!(said.get("parked_untried"), None, "nothing is tried twice");
    drop(serving);
    world.assert_equals_replay().await;
}
