//! An aggregate that was loaded from a snapshot is the one that a replay makes: for every aggregate of the shop, every
//! length up to 60 and every snapshot interval up to 60, in what it is and in what it answers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails says so by panicking"
)]

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use deadpool_postgres::{Manager, Pool};
use domain::{
    Batch, BatchCommand, CapturePolicy, Club, ClubCommand, License, LicenseCommand, LicenseType,
    LicenseTypeCommand, NewTerms, Order, OrderCommand, PaymentBooks, RefundPolicy, RequestRefund, Resolution,
    Suspension, SuspensionCommand, Terms, TermsCommand,
};
use envelope::{EventPayload, Metadata};
use event_store::{
    Appender, AppenderOptions, CommandHandler, CommandRequest, IdempotencyKey, Loader, LoaderOptions, Log,
    SnapshotOptions,
};
use events::{BatchItemsDone, ItemOutcome, ItemResult};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::NoTls;
use uuid::Uuid;

const LONGEST: u64 = 60;
const INTERVALS: std::ops::RangeInclusive<u64> = 1..=60;

/// The aggregate `A`, asked for events instead of decisions.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Scripted<A>(A);

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl<A> Aggregate for Scripted<A>
where
    A: Aggregate,
    A::Event: Send,
{
    const TYPE: &'static str = A::TYPE;
    type Command = A::Event;
    type Event = A::Event;
    type Error = Never;
    type Services = ();

    async fn handle(&mut self, event: A::Event, (): &(), sink: &EventSink<Self>) -> Result<(), Never> {
        sink.write(event, self).await;
        Ok(())
    }

    fn apply(&mut self, event: A::Event) {
        self.0.apply(event);
    }
}

/// What one aggregate does in this test.
struct Script<A: Aggregate> {
    events: Vec<A::Event>,
    /// What it is asked at every length.
    commands: Vec<A::Command>,
}

/// One log for everything.
struct World {
    url: String,
    log: Log,
    loader: Loader,
    appender: Appender,
}

impl World {
    async fn new() -> Self {
        let servers = stack::shared().await.unwrap();
        let databases = stack::Databases::fresh(servers.postgres().url()).await.unwrap();
        let url = databases.events_owner;
        event_store::migrate(&url).await.unwrap();
        let pool = Pool::builder(Manager::new(url.parse().unwrap(), NoTls))
            .max_size(4)
            .build()
            .unwrap();
        Self {
            log: Log::new(pool),
            loader: Loader::start(&url, LoaderOptions::default()).unwrap(),
            appender: Appender::start(&url, AppenderOptions::default()).unwrap().0,
            url,
        }
    }

    fn command_handler(&self, every: u64) -> CommandHandler {
        let command_handler =
            CommandHandler::new(self.log.clone(), self.loader.clone(), self.appender.clone());
        command_handler.with_snapshots(SnapshotOptions {
            every,
            schema_fingerprint: domain::SCHEMA_FINGERPRINT.into(),
        })
    }

    /// Waits until every aggregate has the snapshot that is due for it, and no other.
    async fn settled(&self, due: &HashMap<Uuid, u64>) {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let rows = client
                .query("select aggregate_id, sequence from snapshots", &[])
                .await
                .unwrap();
            let found: HashMap<Uuid, u64> = rows
                .iter()
                .map(|row| (row.get(0), u64::try_from(row.get::<_, i64>(1)).unwrap()))
                .collect();
            if found == *due {
                return;
            }
            assert!(Instant::now() < deadline, "snapshots are missing");
            tokio::task::yield_now().await;
        }
    }
}

/// Whether the aggregate has snapshots.
#[derive(Clone, Copy, PartialEq)]
enum Snapshots {
    Due,
    /// Its state holds personal data, which a snapshot would keep in clear.
    Never,
}

/// Gives every interval an aggregate of its own and lets all of them grow side by side.
async fn check<A>(script: Script<A>, snapshots: Snapshots)
where
    A: Aggregate<Services = ()> + Clone + PartialEq + 'static,
    A::Command: Clone + Sync + Send,
    A::Event: EventPayload + PartialEq + Debug + Clone + Send + Sync + 'static,
    A::Error: PartialEq,
{
    let world = World::new().await;
    let instances: Vec<(u64, Uuid, CommandHandler)> = INTERVALS
        .map(|every| (every, Uuid::now_v7(), world.command_handler(every)))
        .collect();
    let mut replayed = A::default();
    let mut due = HashMap::new();
    for length in 0..=LONGEST {
        let loads = instances
            .iter()
            .map(|(_, id, command_handler)| command_handler.load::<A>(*id));
        for ((every, ..), loaded) in instances.iter().zip(join_all(loads).await) {
            let loaded = loaded.unwrap();
            let context = format!("{} of {length} events, a snapshot every {every}", A::TYPE);
            assert_eq!(loaded.version, length, "{context}");
            assert_eq!(json(&loaded.aggregate), json(&replayed), "{context}");
            // What JSON doesn't hold would be lost in a snapshot.
            assert!(loaded.aggregate == replayed, "{context}");
            for command in &script.commands {
                let (ours, theirs) = (
                    answer(&loaded.aggregate, command).await,
                    answer(&replayed, command).await,
                );
                assert_eq!(ours, theirs, "{context}");
            }
        }
        if length == LONGEST {
            break;
        }
        let index = usize::try_from(length).unwrap();
        let event = &script.events[index];
        join_all(instances.iter().map(|(_, id, command_handler)| {
            let call = CommandRequest {
                aggregate_id: *id,
                command: event.clone(),
                key: IdempotencyKey::unique(),
                metadata: Metadata::default(),
                expected_version: Some(length),
                creates: false,
            };
            async move {
                let respond = |_: &Scripted<A>, _| serde_json::json!({});
                command_handler
                    .execute::<Scripted<A>>(call, respond)
                    .await
                    .unwrap();
            }
        }))
        .await;
        replayed.apply(event.clone());
        for (every, id, _) in &instances {
            if snapshots == Snapshots::Due && (length + 1) % every == 0 {
                due.insert(*id, length + 1);
            }
        }
        world.settled(&due).await;
    }
}

fn json(aggregate: &impl Serialize) -> Value {
    serde_json::to_value(aggregate).unwrap()
}

/// What an aggregate decides, without changing it.
async fn answer<A>(aggregate: &A, command: &A::Command) -> Result<Vec<A::Event>, A::Error>
where
    A: Aggregate<Services = ()> + Clone,
    A::Command: Clone,
{
    let mut asked = aggregate.clone();
    let sink = EventSink::default();
    asked.handle(command.clone(), &(), &sink).await?;
    Ok(sink.collect().await)
}

/// Sixty events of the published samples: `first`, then the others in turn, each different from the one before.
fn events<E: EventPayload>(first: &[&str], then: &[&str]) -> Vec<E> {
    let turn = first.iter().chain(then.iter().cycle());
    (1_u64..=LONGEST)
        .zip(turn)
        .map(|(number, name)| {
            let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../schemas/samples");
            let text = std::fs::read_to_string(format!("{samples}/{name}.v1.json")).unwrap();
            let mut payload: Value = serde_json::from_str(&text).unwrap();
            for (field, value) in payload.as_object_mut().unwrap() {
                if field.ends_with("_ore") {
                    *value = (number * 100).into();
                } else if ["name", "redirect_url", "club_name"].contains(&field.as_str()) {
                    *value = format!("{} {number}", value.as_str().unwrap()).into();
                }
            }
            E::read(name, "1", &payload.to_string()).expect(name).remove(0)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "a list of commands")]
async fn orders() {
    let rest = [
        "PaymentRequested",
        "OrderExpired",
        "OrderPaid",
        "OrderFulfilled",
        "CaptureFailed",
        "CaptureResolved",
        "PaymentCaptured",
        "PaymentReconciled",
        "LineRefundsRequested",
        "RefundFailed",
        "RefundRetried",
        "LinesRefunded",
        "RefundRequested",
        "OrderRefunded",
        "OrderCancelled",
        "OrderCancelledByCustomer",
        "OrderPlaced",
    ];
    let events = events(&["OrderPlaced"], &rest);
    let events::OrderEvent::OrderPlaced(placed) = &events[0] else {
        panic!("no order")
    };
    let reference = placed.payment_reference.clone();
    let books = PaymentBooks {
        reference: reference.clone(),
        captured_ore: 100,
        refunded_ore: 0,
        cancelled_ore: 0,
        collectable_ore: 100,
    };
    let commands = vec![
        OrderCommand::RequestPayment {
            payment_id: reference.clone(),
            redirect_url: "https://pay.test".into(),
        },
        OrderCommand::ConfirmPayment {
            reference: reference.clone(),
            authorized_ore: placed.total_ore,
            now: placed.expires_at,
            days_taken: false,
        },
        OrderCommand::DeclinePayment {
            reference: reference.clone(),
        },
        OrderCommand::RecordPaymentExpired {
            reference: reference.clone(),
        },
        OrderCommand::Expire {
            now: placed.expires_at,
        },
        OrderCommand::Fulfill,
        OrderCommand::ReconcilePayment {
            books: books.clone(),
            policy: Arc::new(CapturePolicy::default()),
        },
        OrderCommand::ResolveCapture(Resolution {
            action: events::CaptureAction::WriteOff,
            reason: "so decided".into(),
        }),
        OrderCommand::Cancel {
            customer_id: placed.customer_id,
        },
        OrderCommand::RecordRefundFailure {
            books,
            reason: events::RefundFailure::Refused,
        },
        OrderCommand::RequestRefund(Box::new(RequestRefund {
            lines: None,
            reason: "so decided".into(),
            overridden: true,
            checked_in: [].into(),
            policy: Arc::new(RefundPolicy {
                version: "p1".into(),
                until_days_before: 0,
                share_per_mille: 1000,
                after_check_in: false,
                override_by: [].into(),
            }),
            now: placed.expires_at,
        })),
    ];
    check::<Order>(Script { events, commands }, Snapshots::Never).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn licenses() {
    let rest = [
        "LicenseIssued",
        "LicenseCorrected",
        "LicenseSuspended",
        "LicenseCheckedIn",
        "LicenseReinstated",
        "LicenseScannedAgain",
        "LicenseRevoked",
        "UnknownLicenseScanned",
    ];
    let events = events(&["LicenseIssued"], &rest);
    let mut commands = lines_of_a_paid_order();
    commands.push(LicenseCommand::Revoke {
        reason: events::RevokeReason::Refunded,
    });
    commands.push(LicenseCommand::Suspend {
        reason: "so decided".into(),
    });
    commands.push(LicenseCommand::Reinstate {
        reason: "so decided".into(),
    });
    check::<License>(Script { events, commands }, Snapshots::Never).await;
}

/// One for the license that the sample issued, if its order had been this one; one for another.
fn lines_of_a_paid_order() -> Vec<LicenseCommand> {
    let mut order = Order::default();
    for event in
        events::<events::OrderEvent>(&["OrderPlaced", "PaymentRequested", "OrderPaid"], &["OrderPaid"])
            .into_iter()
            .take(3)
    {
        order.apply(event);
    }
    let order = order.paid(Uuid::from_u128(1)).unwrap();
    vec![
        LicenseCommand::Issue {
            order: order.clone(),
            line: 1,
        },
        LicenseCommand::Issue { order, line: 99 },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn license_types() {
    let events = events(
        &["LicenseTypeCreated"],
        &[
            "LicenseTypePriceSet",
            "LicenseTypePriceWithdrawn",
            "LicenseTypeRetired",
        ],
    );
    let now = chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    let commands = vec![
        LicenseTypeCommand::SetPrice {
            price_ore: 500,
            valid_from: None,
            now,
        },
        LicenseTypeCommand::WithdrawPrice {
            valid_from: chrono::DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
            now: chrono::DateTime::UNIX_EPOCH,
        },
    ];
    check::<LicenseType>(Script { events, commands }, Snapshots::Due).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspensions() {
    let events = events(&["SuspensionImposed"], &["SuspensionLifted", "SuspensionImposed"]);
    let commands = vec![SuspensionCommand::Lift {
        reason: "so decided".into(),
    }];
    check::<Suspension>(Script { events, commands }, Snapshots::Due).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clubs() {
    let events = events(
        &["ClubRegistered"],
        &["ClubRenamed", "ClubDeactivated", "ClubActivated"],
    );
    let commands = vec![
        ClubCommand::Register {
            name: "NMK Testby".into(),
        },
        ClubCommand::Change {
            name: Some("NMK Testby".into()),
            status: Some(vocabulary::ClubStatus::Inactive),
        },
    ];
    check::<Club>(Script { events, commands }, Snapshots::Due).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms() {
    let events = events(&["TermsPublished"], &["TermsPublished"]);
    let new = |terms_version: &str| TermsCommand::Publish {
        new: Box::new(NewTerms {
            terms_version: terms_version.into(),
            valid_from: None,
            title_nb: "Vilkår".into(),
            title_en: "Terms".into(),
            text_nb: "Vilkår".into(),
            text_en: "Terms".into(),
            declaration_nb: "Frisk".into(),
            declaration_en: "Well".into(),
        }),
        now: chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap(),
    };
    let commands = vec![new("2026-01"), new("2099-01")];
    check::<Terms>(Script { events, commands }, Snapshots::Due).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches() {
    let events = events(&["BatchSubmitted"], &["BatchItemsDone"]);
    let note = |first| {
        BatchCommand::NoteDone(BatchItemsDone {
            first,
            results: vec![ItemResult {
                outcome: ItemOutcome::Succeeded,
                target: None,
                code: None,
                fields: Vec::new(),
            }],
        })
    };
    // Noted before, next of some length, and of none.
    let commands = vec![note(1), note(41), note(1_000)];
    check::<Batch>(Script { events, commands }, Snapshots::Due).await;
}
