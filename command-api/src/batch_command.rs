//! Batches on the command line: submit a file, and see how far a batch is. The items are done by `serve`.

use std::fmt::Write as _;
use std::io::{Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use domain::Batch;
use envelope::Metadata;
use event_store::{
    Appender, AppenderOptions, CommandHandler, IdempotencyKey, Loader, LoaderOptions, Log, Staging,
};
use events::{BatchEvent, Event, ItemOutcome, ItemResult, aggregate_type};
use futures_util::{Stream, TryStreamExt as _, stream};
use serde::Serialize;
use service::postgres::{self, EventsDatabase, PoolOptions};
use service::problem::Problem;
use service::{Found, Inconclusive};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use uuid::Uuid;
use vocabulary::{BatchKind, BatchStatus, Word as _};

use crate::batches::intake::{Declared, Format};
use crate::router::submit_batch::Submission;
use crate::shop_settings::PersonalDataArgs;

/// How often a batch is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often progress is told.
const TELL: Duration = Duration::from_secs(2);
/// Bytes of a file that are read at a time.
const READ: usize = 64 << 10;

#[derive(Subcommand)]
pub(crate) enum BatchCommand {
    /// Submit a file of items, and wait until the running `serve` has done them; exit status 1 if some failed, 2 if that could
    /// not be told. The same file again is the same batch
    Submit(Box<SubmitOptions>),
    /// How far a batch is, and which items failed; exit status 1 if some failed, 2 if that could not be told
    Status(StatusOptions),
}

#[derive(Args)]
pub(crate) struct SubmitOptions {
    #[command(flatten)]
    database: EventsDatabase,
    #[command(flatten)]
    personal_data: PersonalDataArgs,
    /// The file; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the file is written; by its name (.json, .ndjson, .jsonl, .csv), if not given
    #[arg(long, env = "BATCH_FORMAT", value_name = "FORMAT")]
    format: Option<FileFormat>,
    /// What the items are, if the file does not say it
    #[arg(long, env = "BATCH_KIND", value_name = "KIND", value_parser = kind)]
    kind: Option<BatchKind>,
    /// Only judge the items, each as if it were alone
    #[arg(long, env = "BATCH_DRY_RUN")]
    dry_run: bool,
    /// Submit the same file as another batch: a text that was not used for it before
    #[arg(long, env = "BATCH_AGAIN", value_name = "TEXT", default_value = "")]
    again: String,
    /// Do not wait until the items are done
    #[arg(long, env = "BATCH_NO_WAIT")]
    no_wait: bool,
    /// Print the report as JSON
    #[arg(long, env = "JSON")]
    json: bool,
}

#[derive(Args)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    database: EventsDatabase,
    /// The batch
    #[arg(value_name = "BATCH_ID")]
    batch_id: Uuid,
    /// Wait until all items are done
    #[arg(long, env = "BATCH_WAIT")]
    wait: bool,
    /// Print the report as JSON
    #[arg(long, env = "JSON")]
    json: bool,
}

/// How a file is written.
#[derive(Clone, Copy, ValueEnum)]
enum FileFormat {
    /// One document with kind and items
    Json,
    /// A line of JSON for each item
    Ndjson,
    /// A header, and a row for each item
    Csv,
}

/// How far a batch is.
#[derive(Serialize)]
struct Report {
    batch_id: Uuid,
    kind: BatchKind,
    dry_run: bool,
    status: BatchStatus,
    total: u32,
    succeeded: u32,
    failed: u32,
    failures: Vec<Failure>,
}

/// An item that failed.
#[derive(Serialize)]
struct Failure {
    n: u32,
    #[serde(flatten)]
    result: ItemResult,
}

fn kind(text: &str) -> Result<BatchKind, String> {
    text.parse()
        .map_err(|_| format!("one of {}", BatchKind::texts().join(", ")))
}

/// Does one of them. The report goes to standard output, everything else to standard error.
pub(crate) async fn run(command: BatchCommand) -> anyhow::Result<()> {
    match command {
        BatchCommand::Submit(options) => submit(&options).await,
        BatchCommand::Status(options) => {
            let log = log(&options.database).await.context(Inconclusive)?;
            report(&log, options.batch_id, options.wait, options.json).await
        }
    }
}

async fn log(database: &EventsDatabase) -> anyhow::Result<Log> {
    let url = database.url()?;
    let pool = postgres::pool(url.expose(), &PoolOptions::default(), "command-api batch")?;
    event_store::check_schema(&pool).await?;
    Ok(Log::new(pool))
}

async fn submit(options: &SubmitOptions) -> anyhow::Result<()> {
    let submitted = submit_file(options).await.context(Inconclusive)?;
    let log = log(&options.database).await.context(Inconclusive)?;
    report(&log, submitted, !options.no_wait, options.json).await
}

/// The batch of the file.
async fn submit_file(options: &SubmitOptions) -> anyhow::Result<Uuid> {
    let format = options.format.or_else(|| by_name(&options.file));
    let format = match format.context("--format: the file's name does not say how it is written")? {
        FileFormat::Json => Format::Json,
        FileFormat::Ndjson => Format::Lines,
        FileFormat::Csv => Format::Csv,
    };
    let url = options.database.url()?;
    let pool = postgres::pool(url.expose(), &PoolOptions::default(), "command-api batch")?;
    event_store::check_schema(&pool).await?;
    let vault = options.personal_data.vault()?;
    vault.begin(&pool).await?;
    let (appender, writing) = Appender::start(url.expose(), AppenderOptions::default())?;
    let appender = appender.with_vault(Arc::clone(&vault));
    let loader = Loader::start(url.expose(), LoaderOptions::default())?;
    let log = Log::new(pool.clone()).with_vault(Arc::clone(&vault));
    let command_handler = CommandHandler::new(log, loader, appender);
    let again = &options.again;
    let submission = Submission {
        command_handler: &command_handler,
        staging: &Staging::new(pool, vault),
        metadata: Metadata {
            actor: Some("operator".to_owned()),
            ..Metadata::default()
        },
        key: |content: &[u8]| {
            let file = IdempotencyKey::new("", "", content).request_hash;
            let file = file.first_chunk().map(|begin| u128::from_be_bytes(*begin));
            let file = file.unwrap_or_default();
            IdempotencyKey::new("submit_batch:operator", format!("{file:032x} {again}"), content)
        },
    };
    let declared = Declared {
        kind: options.kind,
        dry_run: options.dry_run.then_some(true),
    };
    let path = if options.file.as_os_str() == "-" {
        Path::new("/dev/stdin")
    } else {
        &options.file
    };
    let source = File::open(path).await;
    let source = source.with_context(|| format!("cannot read {}", path.display()))?;
    let submitted = submission.submit(bytes(source), format, declared).await;
    drop(command_handler);
    writing.await?;
    let submitted = submitted.map_err(|problem| anyhow::anyhow!("{}", in_english(&problem)))?;
    let body: serde_json::Value = serde_json::from_str(&submitted.body)?;
    let batch_id = body["batch_id"].as_str().and_then(|id| id.parse().ok());
    batch_id.context("the stored answer names no batch")
}

fn by_name(file: &Path) -> Option<FileFormat> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "json" => Some(FileFormat::Json),
        "ndjson" | "jsonl" => Some(FileFormat::Ndjson),
        "csv" => Some(FileFormat::Csv),
        _ => None,
    }
}

fn bytes(source: File) -> impl Stream<Item = Result<Bytes, Problem>> + Unpin {
    Box::pin(stream::try_unfold(source, async |mut source| {
        let mut buffer = vec![0; READ];
        let read = source.read(&mut buffer).await;
        let length = read.map_err(|error| Problem::internal(&error))?;
        buffer.truncate(length);
        Ok((length > 0).then(|| (Bytes::from(buffer), source)))
    }))
}

fn in_english(problem: &Problem) -> String {
    match problem.details() {
        Some(detail) => format!("{} ({detail})", problem.message_en()),
        None => problem.message_en().to_owned(),
    }
}

async fn report(log: &Log, batch_id: Uuid, wait: bool, json: bool) -> anyhow::Result<()> {
    let (mut told, mut before) = (Instant::now(), None);
    let report = loop {
        let report = look(log, batch_id).await.context(Inconclusive)?;
        if !wait || report.status == BatchStatus::Done {
            break report;
        }
        let done = report.succeeded + report.failed;
        if told.elapsed() >= TELL && before != Some(done) {
            (told, before) = (Instant::now(), Some(done));
            let (total, failed) = (report.total, report.failed);
            // Progress is optional: a closed standard error does not stop anything.
            let _ = writeln!(
                stderr(),
                "{done} of {total} items are done, {failed} of them failed"
            );
        }
        tokio::time::sleep(LOOK).await;
    };
    let text = if json {
        serde_json::to_string_pretty(&report)?
    } else {
        in_words(&report)
    };
    writeln!(stdout(), "{}", text.trim_end()).context("cannot write to standard output")?;
    if report.failed > 0 {
        bail!(Found::new(format!("{} items failed", report.failed)));
    }
    Ok(())
}

async fn look(log: &Log, batch_id: Uuid) -> anyhow::Result<Report> {
    let (mut batch, mut failures) = (Batch::default(), Vec::new());
    let mut succeeded = 0;
    let mut events = pin!(log.events_of(aggregate_type::BATCH, batch_id, 0));
    while let Some(recorded) = events.try_next().await? {
        for event in Event::read(&recorded)? {
            let Event::Batch(event) = event else { continue };
            if let BatchEvent::BatchItemsDone(done) = &event {
                for (n, result) in (done.first..).zip(&done.results) {
                    let result = result.clone();
                    match result.outcome {
                        ItemOutcome::Succeeded => succeeded += 1,
                        ItemOutcome::Failed => failures.push(Failure { n, result }),
                    }
                }
            }
            cqrs_es::Aggregate::apply(&mut batch, event);
        }
    }
    let Some(submitted) = batch.submitted() else {
        bail!("there is no batch {batch_id}");
    };
    Ok(Report {
        batch_id,
        kind: submitted.kind,
        dry_run: submitted.dry_run,
        status: batch.status(),
        total: submitted.total,
        succeeded,
        failed: batch.done() - succeeded,
        failures,
    })
}

fn in_words(report: &Report) -> String {
    let rehearsal = if report.dry_run {
        " (nothing was done: a dry run)"
    } else {
        ""
    };
    let mut text = format!(
        "batch {}, {}: {}; {} of {} items succeeded, {} failed{rehearsal}\n",
        report.batch_id,
        report.kind.as_str(),
        report.status.as_str(),
        report.succeeded,
        report.total,
        report.failed,
    );
    for Failure { n, result } in &report.failures {
        let target = result.target.as_deref().unwrap_or("-");
        let code = result.code.as_deref().unwrap_or("-");
        let fields = result
            .fields
            .iter()
            .map(|field| format!(" {} {}", field.pointer, field.code));
        let fields: String = fields.collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {n}  {target}  {code}{fields}");
    }
    text
}
