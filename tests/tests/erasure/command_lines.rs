//! `command-api keys` and `command-api erasures`: exit status, reports, and what they change.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::privacy::Canary;
use system_tests::{Shop, books, eventually};
use uuid::Uuid;

use super::{buy, erase, forgotten, license_of, revoke};

/// The exit status and the report of a command of command-api.
async fn command_api(shop: &Shop, arguments: &[&str]) -> (i32, Value) {
    let mut command = shop.system.command(Process::CommandApi, arguments).unwrap();
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().unwrap_or_else(|| panic!("{errors}"));
    let report = serde_json::from_str(&text).unwrap_or_else(|_| json!(text.trim()));
    (code, report)
}

#[tokio::test]
async fn master_key_is_rotated_while_the_shop_sells_and_older_events_still_open() {
    let shop = Shop::open(Options::default()).await;
    let canary = Canary::new("rotated");
    let order_id = buy(&shop, "before", &canary).await;
    let (code, status) = command_api(&shop, &["keys", "status", "--json"]).await;
    assert_eq!(
        (code, &status["active"], &status["missing"]),
        (0, &json!("local"), &json!([]))
    );
    let before = status["keys"]["local"].as_u64().unwrap();
    assert!(before > 0, "{status}");

    let (code, said) = command_api(&shop, &["keys", "new", "--name", "2027-01"]).await;
    assert_eq!((code, said), (0, json!("2027-01 is the active master key")));
    assert_eq!(
        command_api(&shop, &["keys", "new", "--name", "2027-01"]).await.0,
        2
    );
    let (code, status) = command_api(&shop, &["keys", "status", "--json"]).await;
    assert_eq!((code, &status["active"]), (1, &json!("2027-01")), "{status}");
    assert_eq!(status["in_file"], json!(["2027-01", "local"]));
    // The running program takes the new key without a restart.
    eventually("a new order's keys are of the new master key", async || {
        let key = Uuid::new_v4().to_string();
        shop.place(&key, &shop.order_of(&key)).await.expect(201);
        let (_, status) = command_api(&shop, &["keys", "status", "--json"]).await;
        status["keys"]["2027-01"].as_u64().filter(|count| *count > 0)
    })
    .await;

    let (code, done) = command_api(&shop, &["keys", "rotate", "--json"]).await;
    assert_eq!((code, &done["active"]), (0, &json!("2027-01")), "{done}");
    assert!(done["wrapped_again"].as_u64().unwrap() >= before, "{done}");
    let (code, done) = command_api(&shop, &["keys", "rotate"]).await;
    assert_eq!((code, done), (0, json!("0 keys wrapped again by 2027-01")));
    let log = books::connect(&shop.system.databases().events_reader).await;
    let noted = "select count(*) from events where event_type = 'MasterKeyRotated'";
    assert_eq!(log.query_one(noted, &[]).await.unwrap().get::<_, i64>(0), 1);

    // Now the older key's line can go, and everything is still readable: a replay gives the same rows.
    let file = shop.system.master_key_file();
    let text = std::fs::read_to_string(&file).unwrap();
    let (newer, older): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("2027-01 "));
    assert_eq!((newer.len(), older.len()), (1, 1));
    std::fs::write(&file, format!("{}\n", newer[0])).unwrap();
    assert_eq!(command_api(&shop, &["keys", "status"]).await.0, 0);
    assert_eq!(
        license_of(&shop, &order_id).await["holder"]["name"],
        json!(canary.name)
    );
    let complaints = super::proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");

    // With the older key alone, the keys can't be opened, and the status says so.
    std::fs::write(&file, format!("{}\n", older[0])).unwrap();
    let (code, status) = command_api(&shop, &["keys", "status", "--json"]).await;
    assert_eq!((code, &status["missing"]), (1, &json!(["2027-01"])), "{status}");
    std::fs::write(&file, text).unwrap();
    shop.close().await;
}

#[tokio::test]
async fn ledger_is_listed_and_what_it_has_more_than_the_log_is_carried_out() {
    let shop = Shop::open(Options::default()).await;
    assert_eq!(
        command_api(&shop, &["erasures", "list"]).await,
        (0, json!("0 erasures"))
    );
    let (first, second) = (Canary::new("first"), Canary::new("second"));
    let mut holders = Vec::new();
    for (key, canary) in [("first", &first), ("second", &second)] {
        let order_id = buy(&shop, key, canary).await;
        let license = license_of(&shop, &order_id).await;
        revoke(&shop, &license, "Expelled").await;
        holders.push((order_id, license["holder_id"].as_str().unwrap().to_owned()));
    }
    let [(_, one), (kept_order, other)] = &holders[..] else {
        panic!("two holders");
    };
    let erased = erase(&shop, one, "erase").await.expect(202);
    forgotten(&shop, one, &erased).await;
    let (code, list) = command_api(&shop, &["erasures", "list", "--json"]).await;
    assert_eq!((code, list.as_array().map(Vec::len)), (0, Some(1)));
    assert_eq!(list[0]["person_id"], json!(one));
    assert_eq!(list[0]["erasure_id"], erased.body["erasure_id"]);
    let (code, done) = command_api(&shop, &["erasures", "apply", "--json"]).await;
    assert_eq!(
        (code, done),
        (0, json!({"recorded_again": 0, "keys_destroyed": 0}))
    );

    // An erasure that the log has lost, as after a restore.
    let mut entry = list[0].clone();
    entry["person_id"] = json!(other);
    entry["erasure_id"] = json!(Uuid::now_v7());
    let ledger = shop.system.erasures_file();
    let text = std::fs::read_to_string(&ledger).unwrap();
    std::fs::write(&ledger, format!("{text}{entry}\n")).unwrap();
    let (code, done) = command_api(&shop, &["erasures", "apply", "--json"]).await;
    assert_eq!((code, &done["recorded_again"]), (0, &json!(1)), "{done}");
    eventually("the rows forget the second holder", async || {
        let licenses = shop.licenses_of(kept_order).await;
        licenses.first()?["holder_erased_at"].is_string().then_some(())
    })
    .await;
    let complaints = super::proofs(&shop).await;
    assert!(complaints.is_empty(), "{complaints:#?}");
    std::fs::write(&ledger, "damaged\n").unwrap();
    for command in ["list", "apply"] {
        let (code, said) = command_api(&shop, &["erasures", command]).await;
        assert_eq!((code, said), (2, json!("")), "{command}");
    }
    shop.close().await;
}
