//! command-api seals the log by itself, and `log verify` finds every change, whatever the rights of its author.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::{Shop, eventually};
use tokio_postgres::{Client, Config, NoTls};

use crate::sell;

/// The exit code and output of `command-api log …`.
async fn log(shop: &Shop, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = shop
        .system
        .command(Process::CommandApi, &[&["log"], arguments].concat())
        .unwrap();
    let public_key = shop.system.seal_public_key();
    let output = command.env("SEAL_PUBLIC_KEY", public_key).output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

async fn verify(shop: &Shop) -> (Option<i32>, Value) {
    let (code, said) = log(shop, &["verify", "--json"]).await;
    (code, serde_json::from_str(&said).unwrap())
}

/// A session on the events database as the server's administrator, who can switch off the trigger that protects events.
async fn superuser(shop: &Shop) -> Client {
    let events: Config = shop.system.databases().events_owner.parse().unwrap();
    let mut config: Config = stack::shared().await.unwrap().postgres().url().parse().unwrap();
    let (client, connection) = config
        .dbname(events.get_dbname().unwrap())
        .connect(NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let unbound = "set session_replication_role = replica";
    client.batch_execute(unbound).await.unwrap();
    client
}

/// The seals in the complete lines of the file.
fn in_file(shop: &Shop) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(shop.system.seal_file()).ok()?;
    let (whole, _) = text.rsplit_once('\n')?;
    let seals = whole.lines().map(|line| serde_json::from_str(line).unwrap());
    Some(seals.collect())
}

/// The first `count` seals of the database, in the form of the file.
async fn in_database(client: &Client, count: usize) -> Vec<Value> {
    let seals = "select first_position, last_position, encode(signature, 'hex') from log_seals order by 1";
    let rows = client.query(seals, &[]).await.unwrap();
    let seal = |row: &tokio_postgres::Row| {
        let (first, last, signature): (i64, i64, String) = (row.get(0), row.get(1), row.get(2));
        json!([first, last, signature])
    };
    rows.iter().take(count).map(seal).collect()
}

#[tokio::test]
async fn a_shop_at_work_seals_what_it_sells_and_a_superusers_edit_is_named() {
    let seal_soon = (Process::CommandApi, "SEAL_INTERVAL_S".into(), "1".into());
    let shop = Shop::open(Options {
        env: vec![seal_soon],
        ..Options::default()
    })
    .await;
    let sales = sell(&shop, 3).await;
    let client = superuser(&shop).await;
    let head = "select position from log_head";
    let head: i64 = client.query_one(head, &[]).await.unwrap().get(0);

    let seals = eventually("everything is sealed in the file, too", async || {
        let seals = in_file(&shop)?;
        (seals.last()?["last"].as_i64()? >= head).then_some(seals)
    })
    .await;
    let outside: Vec<Value> = seals
        .iter()
        .map(|seal| json!([seal["first"], seal["last"], seal["signature"]]))
        .collect();
    assert_eq!(in_database(&client, outside.len()).await, outside);
    let (code, report) = verify(&shop).await;
    assert_eq!((code, &report["findings"]), (Some(0), &json!([])), "{report}");
    assert!(report["sealed"].as_i64().unwrap() >= head, "{report}");
    assert!(report["events"].as_i64().unwrap() >= head, "{report}");

    // A sale can be proven with the public key alone.
    let order_id = sales.purchases[1].order_id;
    let sold = "select position from events where aggregate_id = $1 and event_type = 'OrderPlaced'";
    let sold: i64 = client.query_one(sold, &[&order_id]).await.unwrap().get(0);
    let (code, proof) = log(&shop, &["prove", "--position", &sold.to_string()]).await;
    assert_eq!(code, Some(0));
    let leaf = &serde_json::from_str::<Value>(&proof).unwrap()["leaf"];
    assert_eq!(
        (&leaf["aggregate_id"], &leaf["event_type"]),
        (&json!(order_id), &json!("OrderPlaced"))
    );
    let file = shop.system.logs().join("proof.json");
    std::fs::write(&file, proof).unwrap();
    let (code, said) = log(&shop, &["check-proof", file.to_str().unwrap()]).await;
    assert_eq!(code, Some(0));
    assert!(
        said.starts_with(&format!("position {sold} is in the log")),
        "{said}"
    );
    // An outage is not a forged log.
    let (code, _) = log(&shop, &["check-proof", "/no/such/proof"]).await;
    assert_eq!(code, Some(2));
    let (code, _) = log(&shop, &["verify", "--seal-file", "/no/such/file"]).await;
    assert_eq!(code, Some(2));
    let (code, _) = log(&shop, &["new-epoch", "--reason", " "]).await;
    assert_eq!(code, Some(2), "the reason would be lost");

    let cheaper =
        "update events set payload = jsonb_set(payload::jsonb, '{total_ore}', '1') where position = $1";
    assert_eq!(client.execute(cheaper, &[&sold]).await.unwrap(), 1);
    let (code, report) = verify(&shop).await;
    assert_eq!(code, Some(1));
    let findings = report["findings"].as_array().unwrap();
    let found: Vec<Value> = findings
        .iter()
        .map(|found| json!([found["kind"], found["first"], found["last"]]))
        .collect();
    assert_eq!(found, [json!(["event_changed", sold, sold])], "{report}");
    let (_, said) = log(&shop, &["verify"]).await;
    assert!(said.starts_with(&format!("position {sold}: ")), "{said}");
    shop.close().await;
}
