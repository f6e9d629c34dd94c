//! The aggregate that all contenders write: small rules, an event of an ordinary size (about 400 bytes of JSON).

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use envelope::{DecodeError, EventPayload};
use event_store::{Claim, Claims};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// An account: opened once, then booked on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    open: bool,
    balance: i64,
}

/// What an account is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    /// Its first event.
    Open,
    /// Any later one.
    Book(i64),
}

/// What happened to an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Opened(Details),
    Booked(Details),
}

/// The payload, the same for both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    amount: i64,
    currency: String,
    text: String,
}

/// Why a command is refused.
#[derive(Debug, thiserror::Error)]
#[error("the account is open already, or not yet")]
pub(crate) struct Refused;

impl Details {
    fn of(amount: i64) -> Self {
        Self {
            amount,
            currency: "NOK".into(),
            text: "What an ordinary event carries besides its numbers: names, addresses, a line for each thing bought, \
                   who is asked when it goes wrong, and whatever else a form asks for. "
                .repeat(2),
        }
    }
}

/// The payload as JSON, for contenders that take it as text.
pub(crate) fn payload(amount: i64) -> serde_json::Result<String> {
    serde_json::to_string(&Details::of(amount))
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Command;
    type Event = Event;
    type Error = Refused;
    type Services = ();

    async fn handle(&mut self, command: Command, (): &(), sink: &EventSink<Self>) -> Result<(), Refused> {
        let event = match (command, self.open) {
            (Command::Open, false) => Event::Opened(Details::of(0)),
            (Command::Book(amount), true) => Event::Booked(Details::of(amount)),
            _ => return Err(Refused),
        };
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: Event) {
        let (Event::Opened(details) | Event::Booked(details)) = event;
        self.open = true;
        self.balance += details.amount;
    }
}

/// For `CommandHandler::claiming`: a new account takes three claims, as a license takes its holder, type and day, its
/// vehicle and day, and a place.
pub(crate) fn three_claims(_: &Account, account_id: Uuid, events: &[Event]) -> Claims {
    let opened = events.iter().any(|event| matches!(event, Event::Opened(_)));
    let claim = |scope: &str| Claim::unique(scope, Uuid::new_v4().to_string(), account_id);
    Claims {
        take: if opened {
            ["holder", "vehicle", "place"].map(claim).to_vec()
        } else {
            vec![]
        },
        ..Claims::default()
    }
}

impl Event {
    const fn name(&self) -> &'static str {
        match self {
            Self::Opened(_) => "Opened",
            Self::Booked(_) => "Booked",
        }
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.name().into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}

impl EventPayload for Event {
    fn event_type(&self) -> &'static str {
        self.name()
    }

    fn event_version(&self) -> &'static str {
        "1"
    }

    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        let (Self::Opened(details) | Self::Booked(details)) = self;
        serde_json::value::to_raw_value(details)
    }

    fn decode(event_type: &str, event_version: &str, payload: &str) -> Result<Self, DecodeError> {
        let details = serde_json::from_str(payload)
            .map_err(|error| DecodeError::malformed(event_type, event_version, &error))?;
        match event_type {
            "Opened" => Ok(Self::Opened(details)),
            _ => Ok(Self::Booked(details)),
        }
    }
}
