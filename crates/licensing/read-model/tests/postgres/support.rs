//! A fresh database per test, and rows to put into it.

use stack::Databases;
use tokio_postgres::{Client, Config, NoTls};
use uuid::Uuid;

/// A database of its own. It stays behind when the test fails, for a look at it.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) client: Client,
}

impl Database {
    /// Empty.
    pub(crate) async fn empty() -> anyhow::Result<Self> {
        let servers = stack::shared().await?;
        let url = Databases::fresh(servers.postgres().url()).await?.read_owner;
        let client = connect(&url).await?;
        Ok(Self { url, client })
    }

    /// With the schema.
    pub(crate) async fn migrated() -> anyhow::Result<Self> {
        let database = Self::empty().await?;
        read_model::migrate(&database.url).await?;
        Ok(database)
    }

    /// A second connection.
    pub(crate) async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.url).await
    }

    /// A pool, as servers have.
    pub(crate) fn pool(&self) -> anyhow::Result<deadpool_postgres::Pool> {
        let manager = deadpool_postgres::Manager::new(self.url.parse::<Config>()?, NoTls);
        Ok(deadpool_postgres::Pool::builder(manager).max_size(2).build()?)
    }

    /// Moves the checkpoint.
    pub(crate) async fn checkpoint(&self, position: i64) -> anyhow::Result<()> {
        self.client
            .execute(
                "insert into checkpoints (projection, position, epoch) values ('licensing', $1, $2)
                 on conflict (projection) do update set position = excluded.position",
                &[&position, &Uuid::nil()],
            )
            .await?;
        Ok(())
    }
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
