//! Logs: JSON lines on standard output in production, readable text for a person at a terminal.

mod json;

use std::io::{self, IsTerminal};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use json::JsonLayer;

/// How and what to log.
#[derive(Debug, Clone, Args)]
pub struct LogOptions {
    /// Format of the log lines on standard output
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// What to log, as tracing directives: a level, or `target=level` pairs, comma-separated
    #[arg(long, env = "LOG_FILTER", default_value = "info", value_name = "DIRECTIVES")]
    pub log_filter: String,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// Plain lines, for people.
    Text,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Json,
            log_filter: "info".to_owned(),
        }
    }
}

/// Installs the process's log output. Fails on a bad filter, or when one is installed already.
pub fn init(options: &LogOptions) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(&options.log_filter)
        .with_context(|| format!("bad log filter {:?}", options.log_filter))?;
    let registry = tracing_subscriber::registry().with(filter);
    match options.log_format {
        LogFormat::Json => registry.with(JsonLayer::new(io::stdout)).try_init(),
        LogFormat::Text => {
            let text = tracing_subscriber::fmt::layer().with_ansi(io::stdout().is_terminal());
            registry.with(text).try_init()
        }
    }
    .context("cannot install the log output")
}
