//! Where rows are read, and by how many connections: flags and environment.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use query::{PerLane, Seats};
use service::postgres::PoolOptions;
use service::secret::{BadSecret, Secret};

/// How much longer than its statement timeout the database may take to report it. Waiting for a connection is included.
const ANSWER_MARGIN: Duration = Duration::from_secs(4);

/// Replicas, and the connections of requests that are kept apart from those of other people.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct ReadingOptions {
    /// URLs of streaming replicas of the read database, separated by commas. Requests are read there, and in the read database
    /// itself when no replica can answer
    #[arg(long, env = "READ_REPLICA_URLS", value_name = "URLS", hide_env_values = true)]
    pub read_replica_urls: Option<Secret>,
    /// File that holds those URLs instead
    #[arg(long, env = "READ_REPLICA_URLS_FILE", value_name = "FILE")]
    pub read_replica_urls_file: Option<PathBuf>,
    /// Seconds by which a replica may lag before it is not read any more
    #[arg(long, env = "REPLICA_MAX_LAG_S", default_value_t = 10, value_name = "SECONDS",
          value_parser = clap::value_parser!(u16).range(1..=600))]
    pub replica_max_lag_s: u16,
    /// The most connections to one database for requests without a login
    #[arg(long, env = "PUBLIC_POOL_SIZE", default_value_t = 8, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub public_pool_size: u16,
    /// Seconds that one of their SQL statements may run
    #[arg(
        long,
        env = "PUBLIC_STATEMENT_TIMEOUT_S",
        default_value_t = 5,
        value_name = "SECONDS"
    )]
    pub public_statement_timeout_s: u32,
    /// The most connections to one database for searches, counts and reports
    #[arg(long, env = "EXPENSIVE_POOL_SIZE", default_value_t = 4, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub expensive_pool_size: u16,
    /// Seconds that one of their SQL statements may run
    #[arg(
        long,
        env = "EXPENSIVE_STATEMENT_TIMEOUT_S",
        default_value_t = 15,
        value_name = "SECONDS"
    )]
    pub expensive_statement_timeout_s: u32,
    /// Searches, counts and reports that one person may have under way at once
    #[arg(long, env = "EXPENSIVE_PER_READER", default_value_t = 2, value_name = "COUNT",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub expensive_per_reader: u16,
}

impl ReadingOptions {
    /// The URLs of the replicas.
    pub(crate) fn replicas(&self) -> Result<Vec<String>, BadSecret> {
        let (direct, file) = (
            self.read_replica_urls.as_ref(),
            self.read_replica_urls_file.as_deref(),
        );
        let given = Secret::given("read-replica-urls", direct, file)?;
        let urls = given
            .as_ref()
            .map_or("", Secret::expose)
            .split(',')
            .map(str::trim);
        Ok(urls.filter(|url| !url.is_empty()).map(str::to_owned).collect())
    }

    pub(crate) fn most_lag(&self) -> Duration {
        Duration::from_secs(self.replica_max_lag_s.into())
    }

    pub(crate) fn seats(&self) -> Seats {
        Seats::new(self.expensive_per_reader.into())
    }

    /// The connections to each database, of which `people` are those of people who are logged in.
    pub(crate) fn pools(&self, people: &PoolOptions) -> PerLane<PoolOptions> {
        PerLane {
            public: PoolOptions {
                db_pool_size: self.public_pool_size.into(),
                db_statement_timeout_s: self.public_statement_timeout_s,
            },
            people: people.clone(),
            expensive: PoolOptions {
                db_pool_size: self.expensive_pool_size.into(),
                db_statement_timeout_s: self.expensive_statement_timeout_s,
            },
        }
    }
}

/// How long a read may take in all.
pub(crate) fn patience(pools: &PerLane<PoolOptions>) -> PerLane<Duration> {
    pools.map(|_, options| Duration::from_secs(options.db_statement_timeout_s.into()) + ANSWER_MARGIN)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        reading: ReadingOptions,
    }

    fn replicas(urls: &str) -> Vec<String> {
        let flag = format!("--read-replica-urls={urls}");
        Program::parse_from(["program", &flag])
            .reading
            .replicas()
            .expect("URLs")
    }

    #[test]
    fn urls_are_separated_by_commas() {
        assert_eq!(
            replicas("postgres://a@b/c, postgres://d@e:1/f,"),
            ["postgres://a@b/c", "postgres://d@e:1/f"]
        );
        let none = Program::parse_from(["program"]).reading.replicas();
        assert!(none.expect("none").is_empty());
    }
}
