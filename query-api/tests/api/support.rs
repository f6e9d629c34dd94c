//! The service with a database and an issuer of its own, and a client for it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use chrono::TimeDelta;
use clap::Parser as _;
use http_body_util::BodyExt;
use query::{Checks, Cursors, Exports, PerLane, Places, Reads, Seats, Source};
use query_api::config::{Cli, Command};
use query_api::keys::{self, Signer};
use query_api::status::{Sources, StatusBoard};
use query_api::stream::{self, StreamOptions};
use query_api::{
    AppState, EXPORTS_AT_ONCE, FOLLOWED, Parts, REPORTS_FOLLOWED, REPORTS_PATH, Renderer, look_at_schema,
    router,
};
use serde_json::Value;
use service::auth::{AuthOptions, Authenticator};
use service::health::Health;
use service::limits::Limiter;
use service::postgres::PoolOptions;
use service::return_key::ReturnKey;
use service::seller::Seller;
use stack::{AUDIENCE, Databases, ISSUER, Issuer, Role};
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;
use uuid::Uuid;

/// How long a test waits for something before it gives up.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Asks until there is a value, and panics when it takes longer than [`DEADLINE`].
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The key of return URLs.
pub(crate) const RETURN_KEY: &[u8] = b"a key of return URLs of this test, 32 bytes or more";

/// The tables of the reports, as `projector migrate` makes them.
pub(crate) const REPORTS: &str = concat!(
    "create schema reports; set search_path = reports;",
    include_str!("../../../crates/licensing/read-model/src/reports/migrations/V1__reports.sql"),
    ";",
    include_str!("../../../crates/licensing/read-model/src/reports/migrations/V2__outline.sql"),
    ";",
    include_str!("../../../crates/engine/projection/src/sql/create_tables.sql"),
    "; reset search_path"
);

const USERS: Uuid = Uuid::from_u128(0x6f1d_3a52_8a0e_5c1f_9a54_0b7c_55a1_d2e3);

/// How the service under test reads.
pub(crate) struct Reading {
    /// The URLs of replicas.
    pub(crate) replicas: Vec<String>,
    /// By how much they may lag.
    pub(crate) most_lag: Duration,
    /// Seconds that a statement may take. One, so that the test of a slow statement is not slow.
    pub(crate) statement_timeout_s: u32,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            replicas: Vec::new(),
            most_lag: DEADLINE,
            statement_timeout_s: 1,
        }
    }
}

/// The connections of each lane.
pub(crate) const LANE: usize = 4;

/// The service under test.
pub(crate) struct App {
    pub(crate) databases: Databases,
    /// Connected as the projector, who owns the tables.
    pub(crate) projector: Client,
    pub(crate) health: Health,
    pub(crate) issuer: Issuer,
    router: Router,
    pub(crate) state: AppState,
    pub(crate) keys: Keys,
    _stop: DropGuard,
}

/// The files of the keys, which go with it.
pub(crate) struct Keys {
    directory: PathBuf,
}

impl Keys {
    /// With one key, which the command line made.
    fn new() -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("query-api-test-keys-{}", Uuid::new_v4()));
        std::fs::create_dir(&directory)?;
        let keys = Self { directory };
        keys.run(&["new"])?;
        Ok(keys)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("license-keys.json")
    }

    /// Runs `query-api license-keys` on them.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<()> {
        let (keys, root) = (self.file(), self.directory.join("root-key.json"));
        let files = [("--license-keys-file", keys), ("--root-key-file", root)];
        let mut line = vec!["query-api".to_owned(), "license-keys".to_owned()];
        line.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        line.extend(files.map(|(flag, file)| format!("{flag}={}", file.display())));
        let Command::LicenseKeys(command) = Cli::try_parse_from(line)?.command else {
            anyhow::bail!("another command");
        };
        keys::commands::run(command)
    }

    fn follow(&self, health: &Health, stop: &CancellationToken) -> Result<Signer> {
        let root = self.directory.join("root-key.json");
        keys::follow(self.file(), root, health.check("license_keys"), stop.clone())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub(crate) fn seller() -> Seller {
    Seller {
        name: "Norges Bilsportforbund".into(),
        organization_number: "123 456 785".into(),
        registered_for_tax: false,
        address: String::new(),
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Null of an empty body or one that is no JSON.
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

/// The rows and the reports, through few connections.
async fn reads_of(
    databases: &Databases,
    reading: &Reading,
    health: &Health,
    stop: &CancellationToken,
) -> Result<[Reads; 2]> {
    let lane = PoolOptions {
        db_pool_size: LANE,
        db_statement_timeout_s: reading.statement_timeout_s,
    };
    let pools = PerLane {
        public: lane.clone(),
        people: lane.clone(),
        expensive: lane,
    };
    let rows = Source {
        primary: &databases.read_reader,
        replicas: &reading.replicas,
        channel: FOLLOWED,
        search_path: None,
        session: "query-api",
        pools: &pools,
        most_lag: reading.most_lag,
    };
    let sums = Source {
        channel: REPORTS_FOLLOWED,
        search_path: Some(REPORTS_PATH),
        session: "query-api reports",
        ..rows
    };
    let checks = |[postgres, schema, replicas]: [&'static str; 3]| Checks {
        postgres: health.check(postgres),
        schema: health.check(schema),
        replicas: (!reading.replicas.is_empty()).then(|| health.check(replicas)),
    };
    let rows_checks = checks(["postgres", "schema", "replicas"]);
    let sums_checks = checks(["reports_postgres", "reports_schema", "reports_replicas"]);
    let known = |_| async { Ok(()) };
    let reads = Reads::new(
        Places::open(rows, rows_checks, stop, look_at_schema).await?,
        Cursors::new(b"a secret of this test, 32 bytes or more")?,
        Seats::new(2),
        pools.map(|_, _| DEADLINE),
    );
    let reports = reads.of(Places::open(sums, sums_checks, stop, known).await?);
    Ok([reads, reports])
}

impl App {
    pub(crate) async fn start() -> Result<Self> {
        let databases = fresh_databases().await?;
        read_model::migrate(&databases.read_owner).await?;
        let projector = connect(&databases.read_owner).await?;
        projector.batch_execute(REPORTS).await?;
        Self::start_on(databases, projector).await
    }

    /// On existing databases.
    pub(crate) async fn start_on(databases: Databases, projector: Client) -> Result<Self> {
        Self::reading(databases, projector, Reading::default()).await
    }

    /// On existing databases and their replicas.
    pub(crate) async fn reading(databases: Databases, projector: Client, reading: Reading) -> Result<Self> {
        let key_file = std::env::temp_dir().join(format!("query-api-test-{}.key", Uuid::new_v4()));
        let issuer = Issuer::start(&key_file).await?;
        std::fs::remove_file(key_file)?;
        let stop = CancellationToken::new();
        let health = Health::new(stop.clone());
        let auth = AuthOptions {
            jwt_issuer: ISSUER.into(),
            jwt_audience: AUDIENCE.into(),
            jwks_url: issuer.jwks_url(),
            jwt_algorithm: "ES256".parse()?,
        };
        let [reads, reports] = Box::pin(reads_of(&databases, &reading, &health, &stop)).await?;
        let keys = Keys::new()?;
        let following = reads.places.projection().clone();
        let sources = Sources {
            health: health.clone(),
            rows: reads.places.projection().clone(),
            reports: reports.places.projection().clone(),
            commands: None,
        };
        let state = AppState::new(Parts {
            status: StatusBoard::watch(sources, stop.clone()),
            changes: stream::follow(
                &databases.read_reader,
                following,
                StreamOptions::default(),
                stop.clone(),
            )?,
            exports: Exports::new(reads.clone(), "query-api export", EXPORTS_AT_ONCE),
            reads,
            reports,
            authenticator: Authenticator::new(&auth)?.report_to(&health),
            limiter: Limiter::OFF,
            return_key: ReturnKey::new(RETURN_KEY)?,
            signer: Some(keys.follow(&health, &stop)?),
            renderer: Renderer::default(),
            seller: Some(seller()),
        });
        let router = service::http::apply_layers(router::router(state.clone()));
        Ok(Self {
            databases,
            projector,
            health,
            issuer,
            router,
            state,
            keys,
            _stop: stop.drop_guard(),
        })
    }

    /// A token for `role` with that subject.
    pub(crate) fn token(&self, role: Role, subject: &str, clubs: &[Uuid]) -> String {
        self.issuer
            .token(role, subject, clubs, TimeDelta::hours(1))
            .expect("a token")
    }

    pub(crate) fn staff(&self) -> String {
        self.token(Role::Staff, "staff", &[])
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.get_with(path, token, &[]).await
    }

    pub(crate) async fn get_anonymously(&self, path: &str) -> Answer {
        self.get_with(path, "", &[]).await
    }

    /// Serves with another state from now on.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Parts)) {
        let mut parts = Parts::clone(&self.state);
        change(&mut parts);
        self.state = AppState::new(parts);
        self.router = service::http::apply_layers(router::router(self.state.clone()));
    }

    pub(crate) async fn get_with(&self, path: &str, token: &str, headers: &[(&str, &str)]) -> Answer {
        let (parts, body) = self.open(path, token, headers).await.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE);
        // A stream has no end.
        let body = if content_type.is_some_and(|kind| kind == "text/event-stream") {
            Body::empty()
        } else {
            body
        };
        let bytes = body.collect().await.expect("a body").to_bytes();
        let is_json = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().ends_with(b"json") && kind != "application/x-ndjson");
        let body = if bytes.is_empty() || !is_json {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).expect("JSON")
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            bytes: bytes.to_vec(),
        }
    }

    /// An answer whose body is not read yet.
    pub(crate) async fn open(&self, path: &str, token: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::get(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        self.router.clone().oneshot(request).await.expect("an answer")
    }

    /// Asks until the answer has this status.
    pub(crate) async fn get_until(&self, path: &str, token: &str, status: StatusCode) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(path, token).await;
            if answer.status == status {
                return answer;
            }
            assert!(begun.elapsed() < DEADLINE, "still {answer:?}, not {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Moves the checkpoint as the projector does, and notifies.
    pub(crate) async fn project_to(&self, position: i64) -> Result<()> {
        self.projector
            .execute(
                "with moved as (
                     insert into checkpoints (projection, position, epoch) values ('licensing', $1, $2)
                     on conflict (projection) do update set position = excluded.position
                     returning position)
                 select pg_notify('projected', position::text) from moved",
                &[&position, &Uuid::nil()],
            )
            .await?;
        Ok(())
    }
}

impl App {
    /// Moves the checkpoint of the reports.
    pub(crate) async fn report_to(&self, position: i64) -> Result<()> {
        self.projector
            .execute(
                "insert into reports.checkpoints (projection, position, epoch) values ('reports', $1, $2)
                 on conflict (projection) do update set position = excluded.position",
                &[&position, &Uuid::nil()],
            )
            .await?;
        Ok(())
    }

    /// Notes how far the log is, as the projector does.
    pub(crate) async fn see_head(&self, position: i64) -> Result<()> {
        self.projector
            .execute(
                "insert into log_heads (projection, position, seen_at) values ('licensing', $1, clock_timestamp())
                 on conflict (projection) do update set position = excluded.position, seen_at = excluded.seen_at",
                &[&position],
            )
            .await?;
        Ok(())
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A column of the items, in their order.
    pub(crate) fn column(&self, name: &str) -> Vec<String> {
        let items = self.body["items"]
            .as_array()
            .unwrap_or_else(|| panic!("no items: {self:?}"));
        items
            .iter()
            .map(|item| {
                item[name]
                    .as_str()
                    .map_or_else(|| item[name].to_string(), str::to_owned)
            })
            .collect()
    }

    pub(crate) fn is(&self, status: u16, code: &str) -> bool {
        self.status.as_u16() == status && self.code() == code
    }
}

pub(crate) async fn fresh_databases() -> Result<Databases> {
    Databases::fresh(stack::shared().await?.postgres().url()).await
}

pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("connect")?;
    tokio::spawn(connection);
    Ok(client)
}

/// The id of the user with that subject at our issuer.
pub(crate) fn user(subject: &str) -> Uuid {
    Uuid::new_v5(&USERS, format!("{ISSUER}\n{subject}").as_bytes())
}
