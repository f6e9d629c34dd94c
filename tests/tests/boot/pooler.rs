//! A connection pooler in front of PostgreSQL is refused at start, with a message that names it, instead of failing later
//! in parts.

use stack::{Databases, PgBouncer, shared};

use crate::{run, settings};

/// Settings of PgBouncer, and the refusal of each.
const POOLERS: [(&str, &str, &str); 3] = [
    // The default settings.
    ("pool_mode = transaction", "", "the startup parameter `options`"),
    // A frequent setting: clients can connect, and their settings are ignored.
    (
        "pool_mode = transaction\nignore_startup_parameters = options",
        "",
        "ignores the startup parameter `options`",
    ),
    // Settings with `options` passed on; sessions are still shared.
    (
        "pool_mode = transaction\nignore_startup_parameters = options",
        "connect_query='set engine.session = ''own'''",
        "share a server process",
    ),
];

#[tokio::test]
async fn each_program_refuses_a_pooler_and_says_why() {
    let servers = shared().await.unwrap();
    let databases = Databases::fresh(servers.postgres().url()).await.unwrap();
    for (mode, of_database, said) in POOLERS {
        for (program, name, url) in [
            ("command-api", "EVENTS_DATABASE_URL", &databases.events_owner),
            ("projector", "EVENTS_DATABASE_URL", &databases.events_reader),
            ("projector", "READ_DATABASE_URL", &databases.read_owner),
            ("query-api", "READ_DATABASE_URL", &databases.read_reader),
            ("query-api", "READ_REPLICA_URLS", &databases.read_reader),
        ] {
            let pooler = PgBouncer::start(url, mode, of_database).await.unwrap();
            let Some(pooler) = pooler else {
                return;
            };
            let mut settings = settings::fine();
            settings.insert(name, pooler.url().to_owned());
            let ended = run(program, &["serve"], &settings).await;
            ended.because("connection pooler is in the way");
            ended.because(said);
            pooler.stop().await;
        }
    }
}
