//! The two databases and their roles: command-api owns the events, the projector reads them and owns the read model, and
//! query-api can only read the read model.

use anyhow::{Context as _, bail};
use aws_lc_rs::hmac;
use tokio_postgres::Client;

use crate::hex::hex;

const CREATE_ROLES: &str = include_str!("sql/create_roles.sql");
const CREATE_DATABASES: &str = include_str!("sql/create_databases.sql");
pub(crate) const DROP_DATABASES: &str = include_str!("sql/drop_databases.sql");
const GRANT_EVENTS_READING: &str = include_str!("sql/grant_events_reading.sql");
const GRANT_READ_MODEL_READING: &str = include_str!("sql/grant_read_model_reading.sql");
const LIST_DATABASES: &str = include_str!("sql/list_databases.sql");
const LOCK_ROLES: &str = include_str!("sql/lock_roles.sql");
const NOTE_PROCESS: &str = include_str!("sql/note_process.sql");

/// What stands in a note before the number of the process that a database is of.
pub(crate) const OF_PROCESS: &str = "of process ";

const COMMAND_API: &str = "command_api";
const PROJECTOR: &str = "projector";
const QUERY_API: &str = "query_api";

/// An events and a read database, with a URL for each role.
#[derive(Clone, Debug)]
pub struct Databases {
    admin_url: String,
    events: String,
    read: String,
    /// command-api's: owns the events database.
    pub events_owner: String,
    /// The projector's: selects in the events database.
    pub events_reader: String,
    /// The projector's: owns the read database.
    pub read_owner: String,
    /// query-api's: selects in the read database.
    pub read_reader: String,
}

impl Databases {
    /// Two new databases, `events_<suffix>` and `read_<suffix>`.
    pub async fn create(admin_url: &str, suffix: &str) -> anyhow::Result<Self> {
        let databases = Self::named(admin_url, suffix)?;
        let admin = connect(admin_url).await?;
        create_roles(&admin, admin_url).await?;
        run_generated(&admin, CREATE_DATABASES, &[&databases.events, &databases.read]).await?;
        for (database, grants) in [
            (&databases.events, GRANT_EVENTS_READING),
            (&databases.read, GRANT_READ_MODEL_READING),
        ] {
            let client = connect(&with_database(admin_url, database)?).await?;
            client.batch_execute(grants).await.context("cannot grant")?;
        }
        Ok(databases)
    }

    /// Two new databases with a unique suffix: one pair per test. [`crate::test_servers`] drops them after the end of this
    /// process.
    pub async fn fresh(admin_url: &str) -> anyhow::Result<Self> {
        let databases = Self::create(admin_url, &uuid::Uuid::new_v4().simple().to_string()).await?;
        let admin = connect(admin_url).await?;
        let note = format!("{OF_PROCESS}{}", std::process::id());
        let binds: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&databases.events, &databases.read, &note];
        run_generated(&admin, NOTE_PROCESS, &binds).await?;
        Ok(databases)
    }

    /// The databases of that suffix if they exist, else new ones.
    pub async fn open_or_create(admin_url: &str, suffix: &str) -> anyhow::Result<Self> {
        let databases = Self::named(admin_url, suffix)?;
        let admin = connect(admin_url).await?;
        let names: &[&str] = &[&databases.events, &databases.read];
        match admin.query(LIST_DATABASES, &[&names]).await?.len() {
            0 => Self::create(admin_url, suffix).await,
            2 => {
                create_roles(&admin, admin_url).await?;
                Ok(databases)
            }
            // A start was killed between creating the two, so the one that exists is empty.
            _ => {
                databases.drop().await?;
                Self::create(admin_url, suffix).await
            }
        }
    }

    /// Drops both databases and ends their connections.
    pub async fn drop(&self) -> anyhow::Result<()> {
        let admin = connect(&self.admin_url).await?;
        let names: &[&str] = &[&self.events, &self.read];
        run_generated(&admin, DROP_DATABASES, &[&names]).await
    }

    /// query-api's URL of the read database at a replica, whose administrator's URL is given.
    pub fn read_reader_at(&self, replica: &str) -> anyhow::Result<String> {
        let (mut url, replica) = (parse(&self.read_reader)?, parse(replica)?);
        if url.set_port(replica.port()).is_err() {
            bail!("DATABASE_URL must name a host");
        }
        Ok(url.into())
    }

    /// The URLs of the databases of that suffix, without creating them.
    pub(crate) fn named(admin_url: &str, suffix: &str) -> anyhow::Result<Self> {
        let (events, read) = if suffix.is_empty() {
            ("events".to_owned(), "read".to_owned())
        } else {
            (format!("events_{suffix}"), format!("read_{suffix}"))
        };
        let url = |role, database| role_url(admin_url, role, database);
        Ok(Self {
            admin_url: admin_url.to_owned(),
            events_owner: url(COMMAND_API, &events)?,
            events_reader: url(PROJECTOR, &events)?,
            read_owner: url(PROJECTOR, &read)?,
            read_reader: url(QUERY_API, &read)?,
            events,
            read,
        })
    }
}

/// Creates the roles; safe when many processes do so at once.
async fn create_roles(admin: &Client, admin_url: &str) -> anyhow::Result<()> {
    let lock = connect(admin_url).await?;
    lock.execute(LOCK_ROLES, &[])
        .await
        .context("cannot lock the roles")?;
    let names = [COMMAND_API, PROJECTOR, QUERY_API];
    let passwords = names.map(|name| role_password(admin_url, name));
    let names: &[&str] = &names;
    let passwords: &[String] = &passwords;
    run_generated(admin, CREATE_ROLES, &[&names, &passwords]).await
}

/// Lets the server build statements, with its own quoting, and runs them one by one.
pub(crate) async fn run_generated(
    admin: &Client,
    query: &str,
    binds: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> anyhow::Result<()> {
    for row in admin
        .query(query, binds)
        .await
        .context("cannot build statements")?
    {
        let statement: String = row.try_get(0)?;
        // The statement may hold a password, so it is not part of the error.
        admin
            .batch_execute(&statement)
            .await
            .context("cannot set up roles and databases")?;
    }
    Ok(())
}

/// Derived from the administrator's URL, so that parallel test processes use the same password without exchanging it.
fn role_password(admin_url: &str, role: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, admin_url_secret(admin_url).as_bytes());
    hex(hmac::sign(&key, role.as_bytes()).as_ref())
}

fn admin_url_secret(admin_url: &str) -> String {
    parse(admin_url)
        .ok()
        .and_then(|url| url.password().map(str::to_owned))
        .unwrap_or_default()
}

/// The administrator's URL with another user, password and database.
fn role_url(admin_url: &str, role: &str, database: &str) -> anyhow::Result<String> {
    let mut url = parse(&with_database(admin_url, database)?)?;
    let changed = url
        .set_username(role)
        .and_then(|()| url.set_password(Some(&role_password(admin_url, role))));
    if changed.is_err() {
        bail!("DATABASE_URL must name a host");
    }
    Ok(url.into())
}

fn with_database(admin_url: &str, database: &str) -> anyhow::Result<String> {
    let mut url = parse(admin_url)?;
    url.set_path(database);
    Ok(url.into())
}

fn parse(url: &str) -> anyhow::Result<reqwest::Url> {
    reqwest::Url::parse(url)
        .context("DATABASE_URL must look like postgres://user:password@host:port/database")
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = Box::pin(connect::Database::parse(url)?.connect())
        .await
        .context("cannot connect to Postgres")?;
    tokio::spawn(connection);
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_urls_keep_host_and_port_and_agree_between_processes() {
        let admin = "postgres://admin:s3cret@127.0.0.1:20001/postgres";
        let one = Databases::named(admin, "x").unwrap();
        let other = Databases::named(admin, "x").unwrap();
        assert_eq!(one.events_owner, other.events_owner);
        assert!(
            one.events_owner.starts_with("postgres://command_api:"),
            "{}",
            one.events_owner
        );
        assert!(
            one.read_reader.ends_with("@127.0.0.1:20001/read_x"),
            "{}",
            one.read_reader
        );
        assert_ne!(role_password(admin, PROJECTOR), role_password(admin, QUERY_API));
    }

    #[test]
    fn url_without_a_host_is_refused() {
        assert!(Databases::named("host=/var/run/postgresql", "x").is_err());
    }
}
