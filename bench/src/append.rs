//! Appending, ours and others', side by side in the same run.

use std::time::Duration;

use anyhow::Context as _;
use event_store::AppenderOptions;

use crate::account::three_claims;
use crate::contender::{Contender, take_turns};
use crate::measure::Figure;
use crate::peers::pgbench::Script;
use crate::peers::{emmett, message_db, npm, postgres_es};
use crate::report::{Report, Target};
use crate::server::Bench;
use crate::{limit, ours, personal};

/// How long and how often.
#[derive(Clone)]
pub(crate) struct Effort {
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
    pub(crate) rounds: usize,
    /// Only contenders with this in their line.
    pub(crate) only: Option<String>,
}

/// Aggregates of ten events to choose from: enough that hardly any gets a second command, also from the fastest contender.
/// With fewer, a faster contender meets longer aggregates than the others.
const ACCOUNTS: usize = 300_000;

/// Takes the figures. `peers`: with those of others. `log_size`: events in the log before.
pub(crate) async fn run(bench: &Bench, effort: Effort, peers: bool, log_size: u64) -> anyhow::Result<Report> {
    let scripts = tempdir()?;
    let figures = match contenders(bench, &effort, (peers, log_size), &scripts).await {
        Ok(mut contenders) => {
            contenders.retain(|contender| effort.only.as_deref().is_none_or(|only| contender.matches(only)));
            take_turns(bench, contenders, effort.rounds).await
        }
        Err(error) => Err(error),
    };
    std::fs::remove_dir_all(&scripts).context("remove the scripts")?;
    let figures = figures?;
    let targets = targets(&figures);
    let name = match log_size {
        0 => "append".to_owned(),
        _ => format!("append-at-{log_size}"),
    };
    let mut report = Report::new(name, "Appending", figures, targets);
    if log_size > 0 {
        report.remark(format!("Our log held {log_size} events before."));
    }
    Ok(report)
}

async fn contenders(
    bench: &Bench,
    effort: &Effort,
    (peers, log_size): (bool, u64),
    scripts: &std::path::Path,
) -> anyhow::Result<Vec<Contender>> {
    let Effort { warm_up, length, .. } = *effort;
    let bare = limit::table(bench).await?;
    let queue = limit::start_group_commit(&bare).await?;
    let (command_handler, url) = ours::command_handler(bench).await?;
    ours::grow(&url, log_size).await?;
    let accounts = ours::fill(&url, ACCOUNTS).await?;
    let forgetful = ours::command_handler_on(
        &url,
        AppenderOptions {
            recent_outcomes: 0,
            ..AppenderOptions::default()
        },
    )?;
    let mut contenders = vec![
        limit::bare_insert(&bare, warm_up, length).await?,
        ours::creating(&command_handler, 1, warm_up, length),
        limit::group_commit(&queue, 64, warm_up, length),
        ours::creating(&command_handler, 64, warm_up, length),
        ours::claiming(
            &command_handler.clone().claiming(three_claims),
            64,
            warm_up,
            length,
        ),
        ours::repeating(&command_handler, "from memory", 64, warm_up, length),
        ours::repeating(&forgetful, "from the database", 64, warm_up, length),
        ours::on_ten(&command_handler, &accounts, 64, warm_up, length),
        limit::group_commit(&queue, 256, warm_up, length),
        ours::creating(&command_handler, 256, warm_up, length),
    ];
    contenders.extend(personal::contenders(bench, scripts, 64, (warm_up, length)).await?);
    if !peers {
        return Ok(contenders);
    }
    npm::install().await?;
    let (one, hundred) = (
        Script::write(scripts, "one", include_str!("sql/pgbench_one.sql"), &bare, 1)?,
        Script::write(
            scripts,
            "hundred",
            include_str!("sql/pgbench_hundred.sql"),
            &bare,
            100,
        )?,
    );
    contenders.push(
        one.clone()
            .contender("pgbench", "one row a transaction, 1 client".into(), 1, length),
    );
    contenders.push(one.contender("pgbench", "one row a transaction, 64 clients".into(), 64, length));
    contenders.push(hundred.contender(
        "pgbench",
        "100 rows a transaction, 2 clients (rows)".into(),
        2,
        length,
    ));
    let tables = postgres_es::tables(bench).await?;
    let (framework, connections) = postgres_es::framework(&tables, 64).await?;
    contenders.push(postgres_es::creating(
        &framework,
        connections,
        64,
        warm_up,
        length,
    ));
    let accounts = postgres_es::fill(&tables, ACCOUNTS).await?;
    contenders.push(postgres_es::on_ten(
        &framework,
        connections,
        &accounts,
        64,
        warm_up,
        length,
    ));
    contenders.push(message_db::contender(bench, scripts, length).await?);
    contenders.push(emmett::contender(bench, 64, warm_up, length).await?);
    Ok(contenders)
}

fn targets(figures: &[Figure]) -> Vec<Target> {
    let rate = |who: &str, what: &str| find(figures, who, what).map(|figure| figure.rate().median);
    let ratio = |one: Option<f64>, other: Option<f64>| Some(one? / other?);
    let creating = rate("bilsportlisens", "creating command, 64");
    let p50 = |who: &str, what: &str| Some(find(figures, who, what)?.p50()?.median);
    let p99 = |what: &str| Some(find(figures, "bilsportlisens", what)?.p99()?.median);
    vec![
        Target::at_least(
            "creating, 64 in flight, times cqrs-es + postgres-es",
            8.0,
            ratio(creating, rate("cqrs-es", "creating")),
        ),
        Target::at_least(
            "creating, 64 in flight, times message-db's best",
            5.0,
            ratio(creating, rate("message-db", "first")),
        ),
        Target::at_least(
            "creating, 64 in flight, share of the limit",
            0.65,
            ratio(creating, rate("limit", "insert, 64")),
        ),
        Target::at_least(
            "on 10 events, 64 in flight, times cqrs-es + postgres-es",
            6.0,
            ratio(
                rate("bilsportlisens", "command on 10 events"),
                rate("cqrs-es", "command on 10 events"),
            ),
        ),
        Target::at_most(
            "one in flight, p50, times that of a bare INSERT",
            1.5,
            ratio(
                p50("bilsportlisens", "creating command, 1 "),
                p50("bare INSERT", "one row"),
            ),
        ),
        Target::at_least(
            "256 in flight, times 64 in flight",
            1.0,
            ratio(rate("bilsportlisens", "creating command, 256"), creating),
        ),
        Target::at_least(
            "3 claims a command, 64 in flight, share of the rate without",
            0.7,
            ratio(rate("bilsportlisens", "creating command with 3 claims"), creating),
        ),
        Target::at_least(
            "orders with personal data sealed, 64 in flight, share of the rate in clear",
            0.85,
            ratio(
                rate("bilsportlisens", "order with personal data sealed"),
                rate("bilsportlisens", "order with personal data in clear"),
            ),
        ),
        Target::at_least(
            "every 10th a repeat, from memory, share of the rate without",
            0.9,
            ratio(
                rate(
                    "bilsportlisens",
                    "creating command, every 10th a repeat from memory",
                ),
                creating,
            ),
        ),
        Target::at_least(
            "every 10th a repeat, from the database, share of the rate without",
            0.9,
            ratio(
                rate(
                    "bilsportlisens",
                    "creating command, every 10th a repeat from the database",
                ),
                creating,
            ),
        ),
        Target::at_most("256 in flight, p99 in ms", 25.0, p99("creating command, 256")),
    ]
}

fn find<'a>(figures: &'a [Figure], who: &str, what: &str) -> Option<&'a Figure> {
    figures
        .iter()
        .find(|figure| figure.contender.starts_with(who) && figure.what.starts_with(what))
}

/// A directory for this run.
pub(crate) fn tempdir() -> anyhow::Result<std::path::PathBuf> {
    let directory = std::env::temp_dir().join(format!("bench-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&directory)?;
    Ok(directory)
}
