//! What a request pays for its rate limits: the check of a customer's request, address and customer together.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use service::health::Health;
use service::limits::{Class, LimitOptions, Limiter, Reader};
use service::redis::RedisOptions;
use service::return_key::ReturnKey;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::append::Effort;
use crate::contender::{Contender, take_turns};
use crate::measure::{Figure, closed_loop};
use crate::ours::US;
use crate::report::{Report, Target};
use crate::server::Bench;

/// So high that every request is admitted and charged, which costs most.
const LIMITS: &str = "address=1000000/s:1000000,customer=1000000/s:1000000";
/// As many customers as a busy morning has.
const CUSTOMERS: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(10);
const IN_FLIGHT: [usize; 3] = [1, 8, 64];

/// Takes the figures.
pub(crate) async fn run(bench: &Bench, effort: &Effort) -> anyhow::Result<Report> {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let options = LimitOptions {
        rate_limits: LIMITS.parse().map_err(anyhow::Error::msg)?,
        rate_limit_instances: 1,
    };
    let key = ReturnKey::new(&[7; 32])?;
    let redis = RedisOptions::at(bench.servers.redis().url(), 1000)
        .connect(&Health::new(stop.clone()), stop)?
        .context("Redis")?;
    tokio::time::timeout(PATIENCE, redis.connected())
        .await
        .context("Redis does not answer")?;
    let shared = options.limiter("bench", Some(redis.clone()), &key);
    let alone = options.limiter("bench", None, &key);
    let mut contenders = Vec::new();
    for in_flight in IN_FLIGHT {
        contenders.push(checking("in Redis", &shared, in_flight, effort));
        contenders.push(checking("alone", &alone, in_flight, effort));
    }
    contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
    let figures = take_turns(bench, contenders, effort.rounds).await?;
    ensure!(redis.is_connected(), "Redis was lost, so the figures are mixed");
    let p99 = |what: &str| {
        let figure = figures.iter().find(|figure| figure.what == what);
        figure.and_then(Figure::p99).map(|p99| p99.median)
    };
    let targets = vec![
        Target::at_most("one at a time, p99 in ms", 0.2, p99(&what("in Redis", 1))),
        Target::at_most("8 in flight, p99 in ms", 0.2, p99(&what("in Redis", 8))),
        Target::at_most("alone, 8 in flight, p99 in ms", 0.02, p99(&what("alone", 8))),
    ];
    let mut report = Report::new("limits", "Rate limits", figures, targets);
    report.remark(
        "A closed loop without a pause between two checks: with 64 in flight the time is mostly that of the queue. Redis is on \
         the same cores, reached by TCP.",
    );
    Ok(report)
}

fn what(how: &str, in_flight: usize) -> String {
    format!("check {how}, {in_flight} in flight")
}

fn checking(how: &str, limiter: &Limiter, in_flight: usize, effort: &Effort) -> Contender {
    let limiter = limiter.clone();
    let (warm_up, length): (Duration, Duration) = (effort.warm_up, effort.length);
    Contender::new(US, what(how, in_flight), move || {
        let limiter = limiter.clone();
        closed_loop(in_flight, warm_up, length, move |number| {
            let limiter = limiter.clone();
            async move {
                let verdict = limiter.check(&customer(number % CUSTOMERS)).await;
                ensure!(verdict.refusal().is_none(), "a request is over its limit");
                Ok(())
            }
        })
    })
}

/// Hundreds of them share an address.
fn customer(number: u64) -> Reader {
    let [.., block, host] = number.to_be_bytes();
    Reader::Known {
        class: Class::Customer,
        user_id: Uuid::from_u128(number.into()),
        address: [198, 51, block % 4, host % 16].into(),
    }
}
