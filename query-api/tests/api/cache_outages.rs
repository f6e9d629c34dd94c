//! Whatever happens to Redis, and whatever is in it: the answers are the same, and none is an error.

use anyhow::Result;
use axum::http::StatusCode;
use read_model::collections::CLUBS;
use redis::aio::MultiplexedConnection;
use stack::Servers;

use crate::cached::{Cached, connection, keys};
use crate::rows;
use crate::support::eventually;

const LIST: &str = "/api/v1/clubs";

/// Writes another name, and asks for it a few times; every answer is right.
async fn goes_on(app: &Cached, position: &mut i64, when: &str) -> Result<()> {
    for _ in 0..2 {
        *position += 1;
        let name = format!("{when} {position}");
        let sql = format!("update clubs set name = '{name}'");
        app.write(*position, &sql, &[CLUBS.name]).await?;
        // Each from Redis, as far as it is there, and the last one remembered.
        for (path, forgotten) in [
            (format!("{LIST}?min_position={position}"), true),
            (LIST.into(), true),
            (LIST.into(), false),
        ] {
            if forgotten {
                app.forget();
            }
            let answer = app.get_anonymously(&path).await;
            assert_eq!(
                (answer.status, answer.column("name")),
                (StatusCode::OK, vec![name.clone()]),
                "{when}"
            );
            assert_eq!(answer.header("event-position"), position.to_string(), "{when}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn redis_away_slow_or_wiped_is_slower_and_never_wrong() -> Result<()> {
    let servers = Servers::temporary().await?;
    let server = servers.redis();
    let app = Cached::start_at(server.url()).await?;
    rows::club(&app.projector, "first").await?;
    let mut position = 1;
    goes_on(&app, &mut position, "at first").await?;
    app.until_hit(LIST, "", "clubs").await;

    server.pause()?;
    goes_on(&app, &mut position, "paused").await?;
    eventually("Redis is lost", async || {
        (!app.redis.is_connected()).then_some(())
    })
    .await;
    goes_on(&app, &mut position, "lost").await?;
    server.resume()?;
    app.until_hit(LIST, "", "clubs").await;
    goes_on(&app, &mut position, "resumed").await?;

    server.kill().await?;
    goes_on(&app, &mut position, "killed").await?;
    server.start().await?;
    app.until_hit(LIST, "", "clubs").await;

    let mut admin = connection(server.url()).await?;
    let () = redis::cmd("FLUSHALL").query_async(&mut admin).await?;
    goes_on(&app, &mut position, "wiped").await?;
    app.until_hit(LIST, "", "clubs").await;

    for (name, setting) in [("full", "1"), ("emptied again", "0")] {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(setting);
        let () = set
            .arg("maxmemory-policy")
            .arg("noeviction")
            .query_async(&mut admin)
            .await?;
        goes_on(&app, &mut position, name).await?;
    }
    app.until_hit(LIST, "", "clubs").await;
    servers.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_others_left_under_our_keys_counts_as_nothing() -> Result<()> {
    let servers = Servers::temporary().await?;
    let url = servers.redis().url();
    let app = Cached::start_at(url).await?;
    rows::club(&app.projector, "A").await?;
    app.write(2, "", &[CLUBS.name]).await?;
    let mut redis = connection(url).await?;
    let expected = app.until_hit(LIST, "", "clubs").await.body;
    app.until_hit(&format!("{LIST}?fields=name"), "", "clubs").await;
    let found = keys(&mut redis).await?;
    assert_eq!(found.len(), 2, "{found:?}");
    for key in &found {
        let left: i64 = redis::cmd("PTTL").arg(key).query_async(&mut redis).await?;
        assert!((1..=300_000).contains(&left), "each ends by itself: {left}");
    }
    let get = async |redis: &mut MultiplexedConnection, key: &str| -> Result<Vec<u8>> {
        Ok(redis::cmd("GET").arg(key).query_async(redis).await?)
    };
    let entries = [
        get(&mut redis, &found[0]).await?,
        get(&mut redis, &found[1]).await?,
    ];
    let mut older = entries[0].clone();
    older[40] ^= 1;
    let others: [&[u8]; 5] = [b"", b"garbage", &older, &[0; 100], br#"{"items":[],"next":null}"#];
    let swapped = [
        (&found[0], entries[1].as_slice()),
        (&found[1], entries[0].as_slice()),
    ];
    let garbage = others
        .iter()
        .flat_map(|bytes| found.iter().map(|key| (key, *bytes)));
    for (key, bytes) in garbage.chain(swapped) {
        let () = redis::cmd("SET")
            .arg(key)
            .arg(bytes)
            .query_async(&mut redis)
            .await?;
        app.forget();
        assert_eq!(app.get_anonymously(LIST).await.body, expected, "{bytes:?}");
        let names = app.get_anonymously(&format!("{LIST}?fields=name")).await;
        assert_eq!(names.column("name"), ["A"], "{bytes:?}");
    }
    assert!(app.looks("clubs", "refused") >= 12);
    for key in &found {
        let () = redis::cmd("DEL").arg(key).query_async(&mut redis).await?;
        let () = redis::cmd("RPUSH")
            .arg(key)
            .arg("x")
            .query_async(&mut redis)
            .await?;
    }
    assert_eq!(app.get_anonymously(LIST).await.body, expected, "a list");
    assert!(app.redis.is_connected(), "that is no fault of the connection");
    app.until_hit(LIST, "", "clubs").await;
    servers.stop().await;
    Ok(())
}
