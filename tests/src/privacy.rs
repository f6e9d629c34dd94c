//! Searches the programs' logs for personal data and panics.

use crate::Shop;
use crate::purchase::HOLDER;

/// The first lines of each log file that must not be there.
pub fn complaints(shop: &Shop) -> Vec<String> {
    let tokens = &shop.tokens;
    let mut secrets = vec![
        HOLDER,
        "Nordmann",
        "900 00 000",
        "+4790000000",
        "1990-05-17",
        "AB12345",
    ];
    secrets.extend([&tokens.customer[..], &tokens.staff[..]]);
    let mut complaints = Vec::new();
    for entry in std::fs::read_dir(shop.system.logs()).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let bad =
            |line: &&str| secrets.iter().any(|secret| line.contains(secret)) || line.contains("panicked");
        let found = text.lines().filter(bad).take(5);
        complaints.extend(found.map(|line| format!("{}: {line}", path.display())));
    }
    complaints
}

/// Personal data that occurs nowhere else, to be searched for.
pub struct Canary {
    /// Full name.
    pub name: String,
    /// Birth date.
    pub birth_date: &'static str,
    /// Phone.
    pub phone: &'static str,
    /// E-mail address.
    pub email: String,
    /// Registration number.
    pub registration: &'static str,
    /// What is searched for: the words of the data, also in the forms that it is stored in.
    words: Vec<String>,
}

impl Canary {
    /// A canary of this name.
    pub fn new(name: &str) -> Self {
        let email = format!("kanarifugl.{name}@example.test");
        let words = [
            "Kanarifugl",
            "kanarifugl",
            "KANARIFUGL",
            "1987-03-29",
            "911 22 333",
            "91122333",
            "ZX98765",
            "zx98765",
        ];
        Self {
            name: format!("Zylvia Kanarifugl {name}"),
            birth_date: "1987-03-29",
            phone: "+47 911 22 333",
            registration: "ZX98765",
            words: words.map(str::to_owned).to_vec(),
            email,
        }
    }

    /// Its words that these bytes hold.
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let holds = |word: &&String| {
            let word = word.as_bytes();
            bytes.windows(word.len()).any(|window| window == word)
        };
        self.words.iter().filter(holds).map(String::as_str).collect()
    }
}

/// Every place outside the read model that holds the canary: tables, files and write-ahead log of the database server, files of
/// NATS and Redis, logs, metrics. For a shop on its own servers whose projector has seen none of it.
pub async fn places_with(shop: &Shop, canary: &Canary) -> Vec<String> {
    let servers = shop.system.servers();
    let mut complaints = tables_with(&shop.system.databases().events_owner, canary).await;
    for server in servers.all() {
        files_with(server.data_dir().unwrap(), canary, &mut complaints);
    }
    files_with(shop.system.logs(), canary, &mut complaints);
    files_with(shop.system.seal_file(), canary, &mut complaints);
    for url in [shop.system.command_ops_url(), shop.system.query_ops_url()] {
        let metrics = shop.ops(&url, "metrics").await.unwrap().text;
        complain(&url, canary.found_in(metrics.as_bytes()), &mut complaints);
    }
    complaints
}

/// Every table of both databases that holds the canary, and every log file.
pub async fn rows_with(shop: &Shop, canary: &Canary) -> Vec<String> {
    let databases = shop.system.databases();
    let mut complaints = tables_with(&databases.events_owner, canary).await;
    complaints.extend(tables_with(&databases.read_owner, canary).await);
    files_with(shop.system.logs(), canary, &mut complaints);
    complaints
}

async fn tables_with(url: &str, canary: &Canary) -> Vec<String> {
    let client = crate::books::connect(url).await;
    let list = "select format('%I.%I', schemaname, tablename) from pg_tables \
                where schemaname not in ('pg_catalog', 'information_schema')";
    let mut complaints = Vec::new();
    for table in client.query(list, &[]).await.unwrap() {
        let table: String = table.get(0);
        for row in client
            .query(&format!("select t::text from {table} t"), &[])
            .await
            .unwrap()
        {
            let text: String = row.get(0);
            complain(&table, canary.found_in(text.as_bytes()), &mut complaints);
        }
    }
    complaints
}

/// By `grep`, for a server's files are large.
fn files_with(path: &std::path::Path, canary: &Canary, complaints: &mut Vec<String>) {
    let mut grep = std::process::Command::new("grep");
    grep.args(["-r", "-l", "-a", "-F"]);
    for word in &canary.words {
        grep.args(["-e", word]);
    }
    let output = grep.arg(path).output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    complaints.extend(found.lines().map(str::to_owned));
    // 1 is nothing found. A server may remove a file meanwhile, which is 2.
    assert!(output.status.code().is_some(), "grep was killed");
}

fn complain(place: &str, found: Vec<&str>, complaints: &mut Vec<String>) {
    complaints.extend(found.into_iter().map(|word| format!("{place}: {word}")));
}
