//! Emmett on Postgres: a small program of its own in JavaScript, since that is how it is used.

use std::time::Duration;

use anyhow::Context as _;

use super::{TRIAL, best, npm};
use crate::contender::Contender;
use crate::measure::Run;
use crate::server::Bench;

/// Its store in a database of its own, with as many connections as are fastest for `in_flight` appends.
pub(crate) async fn contender(
    bench: &Bench,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> anyhow::Result<Contender> {
    let url = bench.database("emmett").await?;
    let mut trials = Vec::new();
    for connections in [4, 10, 20, 64] {
        trials.push((
            connections,
            run(&url, connections, in_flight, TRIAL / 2, TRIAL).await?,
        ));
    }
    let connections = best(&trials).context("no trial")?;
    let name = format!("emmett-postgresql ({connections})");
    let what = format!("first event of a stream, {in_flight} in flight");
    Ok(Contender::new(name, what, move || {
        let url = url.clone();
        async move { run(&url, connections, in_flight, warm_up, length).await }
    }))
}

async fn run(
    url: &str,
    connections: u32,
    in_flight: usize,
    warm_up: Duration,
    length: Duration,
) -> anyhow::Result<Run> {
    let arguments = [
        connections.to_string(),
        in_flight.to_string(),
        warm_up.as_millis().to_string(),
        length.as_millis().to_string(),
    ];
    npm::figures("emmett.mjs", &arguments, url).await
}
