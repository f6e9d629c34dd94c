//! Accounts: events appended to a stream, and a command handler for an aggregate.
//!
//! `DATABASE_URL=postgres://… cargo run --example accounts`, with an empty database of your own; in this repository:
//! `target/debug/stack test-servers -- cargo run --example accounts`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use event_store::cqrs_es::Aggregate;
use event_store::cqrs_es::event_sink::EventSink;
use event_store::serde_json::json;
use event_store::uuid::Uuid;
use event_store::{
    Append, Appender, AppenderOptions, CommandHandler, CommandRequest, EventData, IdempotencyKey, Loader,
    LoaderOptions, Log, Position,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Deposited(u64);
event_store::event!(Deposited, "1");

#[derive(Default, Serialize, Deserialize)]
struct Account {
    balance: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("a deposit must be more than 0")]
struct NothingDeposited;

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = u64;
    type Event = Deposited;
    type Error = NothingDeposited;
    type Services = ();

    async fn handle(&mut self, amount: u64, (): &(), sink: &EventSink<Self>) -> Result<(), Self::Error> {
        if amount == 0 {
            return Err(NothingDeposited);
        }
        sink.write(Deposited(amount), self).await;
        Ok(())
    }

    fn apply(&mut self, Deposited(amount): Deposited) {
        self.balance += amount;
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url =
        std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to an empty PostgreSQL database")?;
    event_store::migrate(&url).await?;
    let (appender, _writing) = Appender::start(&url, AppenderOptions::default())?;
    let loader = Loader::start(&url, LoaderOptions::default())?;
    let log = Log::connect(&url, 4)?;

    // Events for a new stream; for the same stream as if it were new still; and behind its last event.
    let id = Uuid::now_v7();
    let deposit = || Ok::<_, serde_json::Error>([EventData::json("Deposited", &5)?]);
    let append = |events| Append::new(IdempotencyKey::unique()).events("account", id, 0, events);
    appender.append(append(deposit()?)).await?;
    println!("refused: {:?}", appender.append(append(deposit()?)).await.err());
    appender.append_at_any_version(&log, append(deposit()?)).await?;

    // A command: load, handle, append. The same key again gets the same answer, and nothing happens.
    let command_handler = CommandHandler::new(log.clone(), loader, appender);
    let key = IdempotencyKey::new("example", id, "deposit 7");
    let request = CommandRequest::new(id, 7, key).expecting(2);
    let answer = |account: &Account, version| json!({"balance": account.balance, "version": version});
    let first = command_handler.execute(request.clone(), answer).await?;
    let again = command_handler.execute(request, answer).await?;
    println!("{}, again: {}", first.body, again.body == first.body);
    println!("{:?}", log.read_after(Position::START, 100).await?);
    Ok(())
}
