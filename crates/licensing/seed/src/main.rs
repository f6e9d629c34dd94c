//! `seed`: ten years of a shop that is made up, through the log, so that everything that reads it can be built and measured.

mod calendar;
mod cart;
mod catalogue;
mod counts;
mod dice;
mod held;
mod life;
mod meetings;
mod names;
mod outlet;
mod people;
mod place;
mod progress;
mod purchase;
mod run;
mod setup;
mod shop;

use std::process::ExitCode;

use chrono::NaiveDate;
use clap::Parser;
use command_api::HistoryArgs;

use crate::run::Plan;

/// Plays ten years of a shop into an empty log: seasons, clubs, families, orders, licenses, refunds, receipts, scans.
///
/// The same seed, scale and end make the same events. Stopped at any point, it continues when it is run again. It refuses a
/// log that holds anything else, and one on which a command-api runs. Exit status 0 if the log has the history, 1 if it was
/// refused because of what was found, 2 if it could not be recorded.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// How large: 1 is ten years of the real shop, about 100,000 orders, 150,000 licenses and 60,000 people
    #[arg(long, env = "SCALE", default_value = "1", value_name = "NUMBER", value_parser = scale)]
    scale: f64,
    /// Which of all the histories
    #[arg(long, env = "SEED", default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
    /// The day after its last one; 41 days ago or more
    #[arg(long, env = "UNTIL", default_value = "2026-10-01", value_name = "DATE")]
    until: NaiveDate,
    /// Print the report as JSON, for machines
    #[arg(long, env = "JSON")]
    json: bool,
    #[command(flatten)]
    log: HistoryArgs,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.001..=100.0).contains(&scale) => Ok(scale),
        _ => Err("a number from 0.001 to 100".into()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli {
        scale,
        seed,
        until,
        json,
        log,
    } = Cli::parse();
    let plan = Plan { scale, seed, until };
    service::exit("seed", Box::pin(run::run(&plan, &log, json)).await)
}
