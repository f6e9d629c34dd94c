//! `nats/accounts.conf` on a real server: each user can do its work with it, and nothing else.

use std::sync::Arc;

use async_nats::jetstream::consumer::{pull, push};
use async_nats::jetstream::stream::Config;
use async_nats::{ConnectErrorKind, ConnectOptions};
use event_bus::{Access, Connection, Login, Password, PublisherOptions, StreamConfig, connect_as};
use serde_json::json;
use stack::{NatsLogins, Servers};

use crate::log::TestLog;
use crate::nats::{Bus, eventually, follow, publish_all};

/// A server with the names, and so the permissions, of an installation.
async fn servers() -> Arc<Servers> {
    Arc::new(Servers::temporary().await.unwrap())
}

/// How one of our programs gets in.
fn access(servers: &Servers, user: &str) -> Access {
    Access {
        url: servers.nats().url().to_owned(),
        login: Some(Login {
            user: user.to_owned(),
            password: Password::File(servers.nats_logins().unwrap().file(user)),
        }),
        api_prefix: NatsLogins::api_prefix(user).to_owned(),
        ..Access::default()
    }
}

/// The installation's own declaration: `nats/accounts.conf` names its stream and its subjects.
fn declared() -> StreamConfig {
    StreamConfig::as_declared(include_str!("../../../../../nats/stream.json")).unwrap()
}

fn stream_name() -> String {
    declared().name
}

/// A subject that leads into the stream.
fn an_event() -> String {
    format!("{}.0.account.Deposited.1", declared().subject_prefix)
}

async fn bus(servers: &Arc<Servers>, user: &str) -> Bus {
    Bus {
        context: connect_as(&access(servers, user), user).await.unwrap(),
        stream: declared(),
        servers: Some(Arc::clone(servers)),
    }
}

/// Whatever it is: the server says that it is not allowed.
async fn denied(bus: &Connection, what: &str, doing: impl Future<Output = bool>) {
    let is_denied = format!("{what} is denied");
    let mut said = Box::pin(eventually(&is_denied, async || {
        let problem = bus.problem().unwrap_or_default();
        let said = problem.contains("Permissions Violation") && problem.contains(what);
        if said { Ok(()) } else { Err(problem) }
    }));
    // Mostly without its answer, which would be long in not coming.
    let done = tokio::select! {
        () = &mut said => return,
        done = doing => done,
    };
    assert!(!done, "{what} was done");
    said.await;
}

async fn last_sequence(bus: &Bus) -> u64 {
    bus.info().await.state.last_sequence
}

#[tokio::test]
async fn each_does_its_work() {
    let servers = servers().await;
    let (relay, reader) = (
        bus(&servers, "command-api").await,
        bus(&servers, "projector").await,
    );
    let log = TestLog::with_events(2_500);
    publish_all(&mut relay.publisher(PublisherOptions::default()), &log).await;
    log.set_down(true);
    let mut subscription = reader.subscription(&log, 0);
    follow(&mut subscription, &log, 2_500).await;
    assert_eq!(
        (subscription.counts().from_stream, subscription.counts().from_log),
        (2_500, 0)
    );
    // The planner of command-api reads, too.
    follow(&mut relay.subscription(&log, 2_000), &log, 2_500).await;
    // Another epoch of the log: the relay replaces the stream.
    log.set_down(false);
    log.restore_to(2_000);
    publish_all(&mut relay.publisher(PublisherOptions::default()), &log).await;
    assert_eq!(last_sequence(&relay).await, 2_000);
    // Those who look.
    for user in ["projector", "operator"] {
        let looking = bus(&servers, user).await;
        assert_eq!(last_sequence(&looking).await, 2_000);
        let stream = looking.context.get_stream(stream_name()).await.unwrap();
        assert_eq!(stream.direct_get(7).await.unwrap().sequence, 7, "{user}");
        assert_eq!(looking.context.problem(), None, "{user}");
    }
    assert_eq!(relay.context.problem(), None);
    assert_eq!(reader.context.problem(), None);
}

#[tokio::test]
async fn the_projector_cannot_publish_nor_touch_the_stream() {
    let servers = servers().await;
    let relay = bus(&servers, "command-api").await;
    let log = TestLog::with_events(10);
    publish_all(&mut relay.publisher(PublisherOptions::default()), &log).await;
    let reader = bus(&servers, "projector").await;
    let context = &reader.context;
    let client = context.client();

    // Events, by any name that leads to the stream.
    denied(context, &an_event(), async {
        let published = context.publish(an_event(), "{}".into()).await;
        published.unwrap().await.is_ok()
    })
    .await;
    let config = || Config {
        name: stream_name(),
        ..Config::default()
    };
    let stream = context.get_stream(stream_name()).await.unwrap();
    denied(context, "STREAM.DELETE", async {
        context.delete_stream(stream_name()).await.is_ok()
    })
    .await;
    denied(context, "STREAM.PURGE", async { stream.purge().await.is_ok() }).await;
    denied(context, "STREAM.UPDATE", async {
        context.update_stream(config()).await.is_ok()
    })
    .await;
    denied(context, "STREAM.MSG.DELETE", async {
        stream.delete_message(3).await.is_ok()
    })
    .await;
    denied(context, "STREAM.CREATE", async {
        context
            .create_stream(Config {
                name: "MINE".into(),
                ..config()
            })
            .await
            .is_ok()
    })
    .await;
    // The account that holds the stream is another one: its own names lead nowhere.
    denied(
        context,
        &format!("$JS.API.STREAM.PURGE.{}", stream_name()),
        async {
            client
                .request(format!("$JS.API.STREAM.PURGE.{}", stream_name()), "".into())
                .await
                .is_ok()
        },
    )
    .await;
    // What only a consumer with a name would need, such as taking over another client's.
    denied(
        context,
        &format!("CONSUMER.CREATE.{}.taken", stream_name()),
        async {
            let config = pull::Config {
                name: Some("taken".into()),
                ..pull::Config::default()
            };
            context
                .create_consumer_on_stream(config, stream_name())
                .await
                .is_ok()
        },
    )
    .await;
    // Replies to other users.
    let mut others = client.subscribe("_INBOX.command-api.>").await.unwrap();
    denied(context, "_INBOX.command-api", async {
        futures_util::StreamExt::next(&mut others).await.is_some()
    })
    .await;
    assert_eq!(last_sequence(&relay).await, 10);
    let info = relay.info().await;
    assert_eq!(
        (info.state.messages, info.config.metadata["log-epoch"].clone()),
        (10, log.epoch().to_string())
    );
}

/// An answer goes where the question says: it must not be stored in the stream as if it had been published.
#[tokio::test]
async fn no_answer_of_the_server_gets_into_the_stream() {
    let servers = servers().await;
    let relay = bus(&servers, "command-api").await;
    let log = TestLog::with_events(10);
    publish_all(&mut relay.publisher(PublisherOptions::default()), &log).await;
    let reader = bus(&servers, "projector").await;
    let client = reader.context.client();
    let into = an_event();
    for (subject, body) in [
        (format!("$JS.LOG.API.STREAM.INFO.{}", stream_name()), json!({})),
        (
            format!("$JS.LOG.API.DIRECT.GET.{}", stream_name()),
            json!({"seq": 3}),
        ),
        (
            format!("$JS.LOG.API.CONSUMER.MSG.NEXT.{}.nobody", stream_name()),
            json!({"batch": 1}),
        ),
        (
            format!("$JS.LOG.API.CONSUMER.CREATE.{}", stream_name()),
            json!({"stream_name": stream_name(), "config": {}}),
        ),
    ] {
        client
            .publish_with_reply(subject, into.clone(), body.to_string().into())
            .await
            .unwrap();
    }
    // A consumer that pushes, to where the stream would take it.
    let pushing = push::Config {
        deliver_subject: into.clone(),
        ..push::Config::default()
    };
    let refused = reader
        .context
        .create_consumer_on_stream(pushing, stream_name())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("cycle"), "{refused}");
    // Pulled, with the stream's own subject to answer to.
    let consumer = reader
        .context
        .create_consumer_on_stream(pull::Config::default(), stream_name())
        .await
        .unwrap();
    let next = format!(
        "$JS.LOG.API.CONSUMER.MSG.NEXT.{}.{}",
        stream_name(),
        consumer.cached_info().name
    );
    let pull = json!({"batch": 20, "expires": 1_000_000});
    client
        .publish_with_reply(next, into.clone(), pull.to_string().into())
        .await
        .unwrap();
    client.flush().await.unwrap();
    // Answers are given in order: the last one here is after all others.
    assert_eq!(last_sequence(&reader).await, 10);
    log.append(1);
    publish_all(&mut relay.publisher(PublisherOptions::default()), &log).await;
    assert_eq!(
        last_sequence(&relay).await,
        11,
        "the sequence is still the position"
    );
}

#[tokio::test]
async fn command_api_can_touch_no_other_subject_and_no_other_stream() {
    let servers = servers().await;
    let relay = bus(&servers, "command-api").await;
    let context = &relay.context;
    let log = TestLog::with_events(3);
    publish_all(&mut relay.publisher(PublisherOptions::default()), &log).await;
    denied(context, "billing.v1.0.x", async {
        context
            .publish("billing.v1.0.x", "{}".into())
            .await
            .unwrap()
            .await
            .is_ok()
    })
    .await;
    denied(context, "STREAM.CREATE.OTHER", async {
        let config = Config {
            name: "OTHER".into(),
            ..Config::default()
        };
        context.create_stream(config).await.is_ok()
    })
    .await;
    denied(context, "STREAM.DELETE.OTHER", async {
        context.delete_stream("OTHER").await.is_ok()
    })
    .await;
    denied(context, &format!("STREAM.PURGE.{}", stream_name()), async {
        context
            .get_stream(stream_name())
            .await
            .unwrap()
            .purge()
            .await
            .is_ok()
    })
    .await;
    assert_eq!(last_sequence(&relay).await, 3);
}

#[tokio::test]
async fn nobody_gets_in_without_a_user_and_its_password() {
    let servers = servers().await;
    let url = servers.nats().url().to_owned();
    let refused = async |options: ConnectOptions, who: &str| {
        let error = options.connect(url.as_str()).await.err();
        let kind = error.map(|error| error.kind());
        assert_eq!(kind, Some(ConnectErrorKind::AuthorizationViolation), "{who}");
    };
    refused(ConnectOptions::new(), "nobody in particular").await;
    let as_user =
        |user: &str, password: &str| ConnectOptions::with_user_and_password(user.into(), password.into());
    refused(as_user("query-api", ""), "query-api").await;
    let logins = servers.nats_logins().unwrap();
    let projectors = logins.password("projector").unwrap();
    refused(as_user("query-api", &projectors), "query-api").await;
    refused(as_user("administrator", &projectors), "administrator").await;
    refused(as_user("projector", ""), "projector").await;
    refused(ConnectOptions::with_token(projectors.clone()), "a token").await;
    assert!(
        as_user("projector", &projectors)
            .connect(url.as_str())
            .await
            .is_ok()
    );
}

/// A new password at the server, then in the file: nothing is lost, nothing is restarted, and it says why meanwhile.
#[tokio::test]
async fn a_changed_password_is_told_and_picked_up() {
    let servers = servers().await;
    let (relay, reader) = (
        bus(&servers, "command-api").await,
        bus(&servers, "projector").await,
    );
    let log = TestLog::with_events(10);
    let mut publisher = relay.publisher(PublisherOptions::default());
    publish_all(&mut publisher, &log).await;
    let mut subscription = reader.subscription(&log, 0);
    follow(&mut subscription, &log, 10).await;

    let logins = servers.nats_logins().unwrap();
    logins.change("projector", "another").unwrap();
    servers.nats().reload().unwrap();
    let refusal = "nats refuses the user or the password";
    eventually("the reader is refused", async || match reader.context.problem() {
        Some(problem) if problem == refusal => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    log.append(10);
    publish_all(&mut publisher, &log).await;
    follow(&mut subscription, &log, 20).await;
    assert_eq!(subscription.counts().from_log, 10, "read from the log meanwhile");
    assert_eq!(subscription.status().borrow().stream.as_deref(), Some(refusal));

    logins.tell("projector", "another").unwrap();
    eventually("events come over the stream again", async || {
        log.append(1);
        publish_all(&mut publisher, &log).await;
        follow(&mut subscription, &log, log.events().len() as u64).await;
        if subscription.counts().from_stream > 10 {
            Ok(())
        } else {
            Err(format!("{:?}", subscription.status().borrow()))
        }
    })
    .await;
    assert_eq!(reader.context.problem(), None);
}
