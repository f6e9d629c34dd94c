//! Answers that many readers get: kept by the versions of their rows, found without the database, and never old.

use anyhow::Result;
use axum::http::StatusCode;
use chrono::DateTime;
use read_model::collections::{ACTIVITIES, CLUBS, LICENSE_TYPES, TERMS};
use serde_json::json;
use stack::{Role, Servers};
use uuid::Uuid;

use crate::cached::{Cached, PAUSE, connection, keys};
use crate::rows;
use crate::support::eventually;

const LIST: &str = "/api/v1/clubs";

#[tokio::test]
async fn a_kept_answer_needs_no_database_and_is_the_same() -> Result<()> {
    let app = Cached::start().await?;
    rows::club(&app.projector, "NMK Testby").await?;
    rows::club(&app.projector, "KNA Oslo").await?;
    app.write(2, "", &[CLUBS.name]).await?;
    let read = app.get_anonymously(&format!("{LIST}?min_position=2")).await;
    assert_eq!(read.column("name"), ["KNA Oslo", "NMK Testby"]);
    let hit = app.until_hit(LIST, "", "clubs").await;
    assert_eq!(hit.body, read.body);
    for header in ["etag", "cache-control", "vary", "content-type", "event-position"] {
        assert_eq!(hit.header(header), read.header(header), "{header}");
    }
    // Pages are kept, too; a search and a beginning at any value are not.
    let first = app
        .until_hit(&format!("{LIST}?limit=1&count=true"), "", "clubs")
        .await;
    assert_eq!(
        (first.column("name"), &first.body["total"]),
        (vec!["KNA Oslo".to_owned()], &json!(2))
    );
    let next = first.body["next_cursor"].as_str().unwrap_or_default();
    let second = format!("{LIST}?limit=1&count=true&cursor={next}");
    app.until_hit(&second, "", "clubs").await;

    let taken = app.exhaust().await;
    // Events elsewhere move the position and leave the rows.
    app.write(3, "", &[]).await?;
    let hit = app.get_anonymously(&format!("{LIST}?min_position=3")).await;
    assert_eq!(
        (
            hit.status,
            hit.column("name"),
            hit.header("event-position"),
            &hit.body["position"]
        ),
        (StatusCode::OK, read.column("name"), "3", &json!(3))
    );
    assert_eq!(app.get_anonymously(&second).await.column("name"), ["NMK Testby"]);
    for known in [
        read.header("etag").to_owned(),
        read.header("etag").replace("W/", "\"x\", "),
        "*".into(),
    ] {
        let unchanged = app.get_with(LIST, "", &[("if-none-match", &known)]).await;
        assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED, "{known}");
        for header in ["etag", "cache-control", "vary"] {
            assert_eq!(unchanged.header(header), read.header(header), "{header}");
        }
        assert_eq!(unchanged.header("event-position"), "3");
    }
    assert_eq!(app.looks("clubs", "unchanged"), 3);
    for path in ["?q=oslo", "?seek=N"] {
        let answer = app.get_anonymously(&format!("{LIST}{path}")).await;
        assert!(answer.is(503, "reads_busy"), "{path}: {answer:?}");
    }
    drop(taken);
    Ok(())
}

#[tokio::test]
async fn a_write_shows_through_the_cache_as_soon_as_its_position() -> Result<()> {
    let app = Cached::start().await?;
    rows::club(&app.projector, "0").await?;
    app.write(2, "", &[CLUBS.name]).await?;
    app.until_hit(LIST, "", "clubs").await;
    let mut tag = String::new();
    for position in 3..30 {
        let sql = format!("update clubs set name = '{position}'");
        app.write(position, &sql, &[CLUBS.name]).await?;
        let waited = format!("{LIST}?min_position={position}");
        let answer = app.get_with(&waited, "", &[("if-none-match", &tag)]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.column("name"), [position.to_string()]);
        assert_eq!(answer.header("event-position"), position.to_string());
        tag = answer.header("etag").to_owned();
        // Who saw it sees it from now on, and finds it kept.
        for _ in 0..2 {
            let answer = app.get_anonymously(LIST).await;
            assert_eq!(answer.column("name"), [position.to_string()]);
        }
    }
    // Without a position it shows as soon as the database notifies, not when something ends.
    app.write(30, "update clubs set name = 'last'", &[CLUBS.name])
        .await?;
    eventually("the last write", async || {
        (app.get_anonymously(LIST).await.column("name") == ["last"]).then_some(())
    })
    .await;
    assert!(app.looks("clubs", "remembered") > 0);
    Ok(())
}

#[tokio::test]
async fn a_price_that_becomes_valid_by_the_clock_is_never_late() -> Result<()> {
    let servers = Servers::temporary().await?;
    let url = servers.redis().url();
    let (app, mut redis) = (Cached::start_at(url).await?, connection(url).await?);
    let from = app.clock_ms().await? + 3_000;
    let moment = DateTime::from_timestamp_millis(from).unwrap().to_rfc3339();
    let prices = json!({
        "prices": [{"price_ore": 1, "valid_from": "2020-01-01T00:00:00Z"}, {"price_ore": 2, "valid_from": moment}],
        "prices_ore": [1, 2], "prices_valid_from": ["2020-01-01T00:00:00Z", moment],
    });
    rows::license_type(&app.projector, prices).await?;
    rows::terms(&app.projector, "1", "2020-01-01T00:00:00Z", 1).await?;
    rows::terms(&app.projector, "2", &moment, 2).await?;
    app.write(2, "", &[LICENSE_TYPES.name, TERMS.name]).await?;
    let lists = [
        ("/api/v1/license-types?min_position=2", "price_ore"),
        ("/api/v1/terms?min_position=2&status=current", "terms_version"),
    ];
    let mut tags = [String::new(), String::new()];
    let (mut shown_new, mut round) = (0, 0);
    while shown_new < 4 {
        for ((path, column), tag) in lists.iter().zip(&mut tags) {
            let begun = app.clock_ms().await?;
            let answer = app.get_anonymously(path).await;
            let known = app.get_with(path, "", &[("if-none-match", tag)]).await;
            let ended = app.clock_ms().await?;
            let kept = answer.header("cache-control");
            if begun >= from {
                assert_eq!(answer.column(column), ["2"], "{path}");
                assert_eq!(known.status, StatusCode::OK, "{path}: the tag of the old answer");
                assert_eq!(kept, "public, max-age=60, stale-while-revalidate=600", "{path}");
                shown_new += 1;
            } else if ended < from {
                assert_eq!(answer.column(column), ["1"], "{path}");
                // No other cache shows it beyond that either.
                let numbers = kept
                    .split(['=', ',', ' '])
                    .filter_map(|word| word.parse::<i64>().ok());
                let seconds: i64 = numbers.sum();
                assert!(
                    seconds * 1000 <= from - begun,
                    "{kept} with {} ms left",
                    from - begun
                );
                answer.header("etag").clone_into(tag);
            }
        }
        // A Redis that ends nothing: its clock may stand still.
        for key in keys(&mut redis).await? {
            let _: i64 = redis::cmd("PERSIST").arg(key).query_async(&mut redis).await?;
        }
        tokio::time::sleep(PAUSE).await;
        round += 1;
        if round % 2 == 0 {
            app.forget();
        }
    }
    for resource in ["license-types", "terms"] {
        assert!(app.looks(resource, "hit") > 0, "{resource}");
        assert!(app.looks(resource, "remembered") > 0, "{resource}");
    }
    servers.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_cursor_of_another_log_is_refused_although_its_page_is_remembered() -> Result<()> {
    let app = Cached::start().await?;
    rows::club(&app.projector, "A").await?;
    rows::club(&app.projector, "B").await?;
    app.write(2, "", &[CLUBS.name]).await?;
    let first = format!("{LIST}?limit=1");
    let cursor = async || {
        let page = app.get_anonymously(&format!("{first}&min_position=2")).await;
        page.body["next_cursor"].as_str().map(str::to_owned)
    };
    let old = cursor().await.expect("a cursor");
    app.projector
        .batch_execute(
            "begin; update checkpoints set epoch = gen_random_uuid(), tables_id = default where projection = 'licensing';
             select pg_notify('projected', 'replaced'); commit",
        )
        .await?;
    let new = eventually("a cursor of the other log", async || {
        cursor().await.filter(|new| *new != old)
    })
    .await;
    let second = format!("{first}&cursor={new}");
    eventually("a page that is remembered", async || {
        let before = app.looks("clubs", "remembered");
        assert_eq!(app.get_anonymously(&second).await.column("name"), ["B"]);
        (app.looks("clubs", "remembered") > before).then_some(())
    })
    .await;
    let refused = app.get_anonymously(&format!("{first}&cursor={old}")).await;
    assert!(refused.is(400, "cursor_invalid"), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn many_who_miss_at_once_ask_the_database_once() -> Result<()> {
    let app = Cached::start().await?;
    app.until_hit(LIST, "", "clubs").await;
    // Another version, so that nothing is kept for it. Again, should the versions be unknown for a moment on a slow machine.
    let mut position = 1;
    eventually("one read for all", async || {
        position += 1;
        let sql = format!("truncate clubs; insert into clubs select * from json_populate_record(null::clubs, '{}')",
            json!({"club_id": Uuid::now_v7(), "name": position.to_string(), "status": "active", "search": "",
                "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z", "version": 1, "position": 1}));
        app.write(position, &sql, &[CLUBS.name]).await.ok()?;
        let before = app.reads("clubs");
        let path = format!("{LIST}?min_position={position}");
        let asked = (0..64).map(|_| app.get_anonymously(&path));
        let answers = futures_util::future::join_all(asked).await;
        for answer in &answers {
            assert_eq!(answer.column("name"), [position.to_string()]);
            assert_eq!(answer.header("event-position"), position.to_string());
        }
        (app.reads("clubs") == before + 1).then_some(())
    })
    .await;
    assert!(app.looks("clubs", "joined") >= 63);
    Ok(())
}

#[tokio::test]
async fn rows_that_changed_before_anyone_was_told_are_given_to_all_and_kept_for_none() -> Result<()> {
    let app = Cached::start().await?;
    rows::club(&app.projector, "A").await?;
    app.write(2, "", &[CLUBS.name]).await?;
    // Each round within a poll of the checkpoint, which would tell; again, should one fall into a round.
    let mut position = 2;
    eventually("newer rows for all who wait", async || {
        position += 1;
        app.get_anonymously(&format!("{LIST}?min_position={}", position - 1))
            .await;
        let path = format!("{LIST}?fields=name&limit={}", position % 200);
        let sql = format!(
            "begin; update clubs set name = '{position}';
             update checkpoints set position = {position}, versions = jsonb_build_object('clubs', gen_random_uuid()); commit"
        );
        app.projector.batch_execute(&sql).await.ok()?;
        let (reads, stored) = (app.reads("clubs"), app.stored("clubs"));
        let asked = (0..16).map(|_| app.get_anonymously(&path));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.column("name"), [position.to_string()]);
            assert_eq!(answer.header("event-position"), position.to_string());
        }
        (app.reads("clubs") == reads + 1 && app.stored("clubs") == stored).then_some(())
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn a_leader_that_goes_away_or_fails_leaves_the_others_their_answer() -> Result<()> {
    let app = Cached::start().await?;
    rows::club(&app.projector, "NMK Testby").await?;
    app.until_hit(LIST, "", "clubs").await;
    app.write(2, "", &[CLUBS.name]).await?;
    let path = format!("{LIST}?min_position=2");
    app.projector
        .batch_execute("begin; lock table clubs in access exclusive mode")
        .await?;
    let (others, ()) = {
        let mut leader = Box::pin(app.get_anonymously(&path));
        // It waits for the table, with the first statement of its snapshot done.
        let waiting = async {
            eventually("the leader reads", async || {
                let sql = "select count(*) from pg_locks where not granted and relation = 'clubs'::regclass";
                let count: i64 = app.projector.query_one(sql, &[]).await.ok()?.get(0);
                (count > 0).then_some(())
            })
            .await;
        };
        tokio::select! {
            answer = &mut leader => panic!("not yet: {answer:?}"),
            () = waiting => {}
        }
        let others = futures_util::future::join_all((0..8).map(|_| app.get_anonymously(&path)));
        let give_up = async {
            drop(leader);
            app.projector.batch_execute("rollback").await.expect("a rollback");
        };
        tokio::join!(others, give_up)
    };
    for answer in others {
        assert_eq!(answer.column("name"), ["NMK Testby"], "{answer:?}");
    }
    // One that fails: the database is as slow for the others, and each says so by itself.
    app.write(3, "", &[CLUBS.name]).await?;
    app.projector
        .batch_execute("begin; lock table clubs in access exclusive mode")
        .await?;
    let path = format!("{LIST}?min_position=3");
    let failed = futures_util::future::join_all((0..3).map(|_| app.get_anonymously(&path))).await;
    for answer in failed {
        assert!(answer.is(503, "query_timeout"), "{answer:?}");
    }
    app.projector.batch_execute("rollback").await?;
    assert_eq!(app.get_anonymously(&path).await.column("name"), ["NMK Testby"]);
    Ok(())
}

#[tokio::test]
async fn rows_of_another_log_or_other_tables_are_neither_found_nor_kept() -> Result<()> {
    let app = Cached::start().await?;
    rows::club(&app.projector, "old").await?;
    app.write(2, "", &[CLUBS.name]).await?;
    app.until_hit(LIST, "", "clubs").await;

    // The log began again: the old rows are shown as what they are, and no answer of them is kept.
    app.projector
        .batch_execute("update checkpoints set stale_since = now(); select pg_notify('projected', 'marked')")
        .await?;
    eventually("stale", async || {
        let answer = app.get_anonymously(LIST).await;
        (answer.header("event-stale") == "true").then_some(())
    })
    .await;
    let kept = || {
        (
            app.stored("clubs"),
            app.looks("clubs", "hit"),
            app.looks("clubs", "remembered"),
        )
    };
    let before = kept();
    for _ in 0..5 {
        let answer = app.get_anonymously(LIST).await;
        assert_eq!(
            (answer.header("event-stale"), answer.header("cache-control")),
            ("true", "no-store")
        );
    }
    assert_eq!(kept(), before);

    // Other tables take their place in one transaction, of the new epoch and further back.
    app.projector
        .batch_execute(
            "begin; update clubs set name = 'new';
             update checkpoints set stale_since = null, epoch = gen_random_uuid(), tables_id = default, versions = '{}', position = 1;
             select pg_notify('projected', 'replaced'); commit",
        )
        .await?;
    eventually("the new rows", async || {
        (app.get_anonymously(LIST).await.column("name") == ["new"]).then_some(())
    })
    .await;
    for _ in 0..5 {
        let answer = app.get_anonymously(LIST).await;
        assert_eq!(
            (answer.column("name"), answer.header("event-stale")),
            (vec!["new".to_owned()], "")
        );
        assert_eq!(answer.header("event-position"), "1");
    }
    app.until_hit(LIST, "", "clubs").await;

    // No rows yet: nothing of that is kept, here or elsewhere.
    app.projector
        .batch_execute(
            "begin; delete from clubs; update checkpoints set position = 0, tables_id = default;
                        select pg_notify('projected', 'replaced'); commit",
        )
        .await?;
    eventually("no rows", async || {
        let answer = app.get_anonymously(LIST).await;
        answer.column("name").is_empty().then_some(())
    })
    .await;
    let stored = app.stored("clubs");
    for _ in 0..5 {
        let answer = app.get_anonymously(LIST).await;
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(app.stored("clubs"), stored);
    Ok(())
}

#[tokio::test]
async fn pages_of_staff_are_shared_and_their_cursors_and_other_readers_are_not() -> Result<()> {
    let app = Cached::start().await?;
    let (own, other) = (
        rows::club(&app.projector, "A").await?,
        rows::club(&app.projector, "B").await?,
    );
    app.write(2, "", &[CLUBS.name]).await?;
    rows::activity(&app.projector, own, "2026-06-05", 3).await?;
    rows::activity(&app.projector, other, "2026-06-06", 4).await?;
    app.report(2, "", &[ACTIVITIES.name, "sales"]).await?;
    let path = "/api/v1/activities?limit=1&min_position=2";
    let (one, two) = (
        app.token(Role::Staff, "one", &[]),
        app.token(Role::Staff, "two", &[]),
    );
    let first = app.until_hit(path, &one, "activities").await;
    let hits = app.looks("activities", "hit");
    let second = app.get(path, &two).await;
    assert_eq!(
        app.looks("activities", "hit"),
        hits + 1,
        "another of the staff gets the same page"
    );
    assert_eq!(first.body["items"], second.body["items"]);
    assert_eq!(first.header("cache-control"), "private, no-store");
    let cursor = |answer: &crate::support::Answer| answer.body["next_cursor"].as_str().unwrap().to_owned();
    assert_ne!(cursor(&first), cursor(&second));
    let next = |cursor: String| format!("/api/v1/activities?limit=1&cursor={cursor}");
    assert_eq!(app.get(&next(cursor(&second)), &two).await.column("sold"), ["3"]);
    let theirs = app.get(&next(cursor(&first)), &two).await;
    assert!(theirs.is(400, "cursor_invalid"), "{theirs:?}");
    let known = app
        .get_with(path, &two, &[("if-none-match", first.header("etag"))])
        .await;
    assert_eq!(known.status, StatusCode::OK, "the tag of another one's page");

    let organizer = app.token(Role::Organizer, "organizer", &[own]);
    let customer = app.token(Role::Customer, "customer", &[]);
    for _ in 0..3 {
        let answer = app.get("/api/v1/activities", &organizer).await;
        assert_eq!(answer.column("sold"), ["3"]);
        let staff = app.get("/api/v1/activities", &one).await;
        assert_eq!(staff.column("sold"), ["4", "3"]);
        let none = app.get("/api/v1/activities", &customer).await;
        assert_eq!(none.body["items"], json!([]));
    }
    let sales = "/api/v1/reports/sales?group_by=club";
    app.until_hit(sales, &one, "sales").await;
    for token in [organizer.as_str(), customer.as_str()] {
        let refused = app.get(sales, token).await;
        assert!(
            refused.status.is_client_error() && refused.body["total"].is_null(),
            "{refused:?}"
        );
    }
    assert_eq!(app.get_anonymously(sales).await.status, StatusCode::UNAUTHORIZED);
    Ok(())
}

#[tokio::test]
async fn a_report_changes_with_its_sums_and_with_the_names_in_it() -> Result<()> {
    let app = Cached::start().await?;
    let club = rows::club(&app.projector, "A").await?;
    app.write(2, "", &[CLUBS.name]).await?;
    for (dimension, value) in [("all", String::new()), ("club", club.to_string())] {
        rows::sales(&app.projector, dimension, "2027-01-03", &value, 100).await?;
    }
    app.report(2, "", &["sales"]).await?;
    let staff = app.staff();
    let path = "/api/v1/reports/sales?group_by=club";
    let hit = app.until_hit(path, &staff, "sales").await;
    assert_eq!(
        (hit.column("name_nb"), hit.column("gross_ore")),
        (vec!["A".to_owned()], vec!["100".to_owned()])
    );
    assert_eq!(
        (&hit.body["total"]["gross_ore"], &hit.body["position"]),
        (&json!(100), &json!(2))
    );
    let unchanged = app
        .get_with(path, &staff, &[("if-none-match", hit.header("etag"))])
        .await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);

    app.report(3, "update sales set gross_ore = 200", &["sales"])
        .await?;
    let answer = app.get(&format!("{path}&min_position=3"), &staff).await;
    assert_eq!(answer.column("gross_ore"), ["200"]);
    app.until_hit(path, &staff, "sales").await;
    // The name is of the other projection.
    app.write(3, "update clubs set name = 'B'", &[CLUBS.name]).await?;
    app.get_anonymously(&format!("{LIST}?min_position=3")).await;
    assert_eq!(app.get(path, &staff).await.column("name_nb"), ["B"]);
    Ok(())
}
