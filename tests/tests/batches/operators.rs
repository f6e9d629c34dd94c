//! Batches on the command line.

use serde_json::{Value, json};
use stack::{Options, Process};
use system_tests::Shop;
use uuid::Uuid;

use super::count;

#[tokio::test]
async fn operators_submit_files_on_the_command_line() {
    let shop = Shop::open(Options::default()).await;
    let directory = std::env::temp_dir().join(format!("batches-{}", Uuid::now_v7()));
    std::fs::create_dir(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let run = async |arguments: &[&str]| {
        let arguments = [&["batch"], arguments].concat();
        let mut command = shop.system.command(Process::CommandApi, &arguments).unwrap();
        command.env("JSON", "true").stdin(std::process::Stdio::null());
        let output = command.output().await.unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (
            output.status.code().unwrap(),
            said,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let prices = file("prices.csv", "code;price_kr\nkonkurranse-bilcross;430,50\n");
    let (status, report, _) = run(&["submit", "--kind", "set_price", &prices]).await;
    assert_eq!(
        (status, &report["succeeded"], &report["status"]),
        (0, &json!(1), &json!("done"))
    );
    // The same file is the same batch, until it is said to be another one.
    let (_, again, _) = run(&["submit", "--kind", "set_price", &prices]).await;
    assert_eq!(again, report);
    let (_, other, _) = run(&["submit", "--kind", "set_price", "--again", "2", &prices]).await;
    assert_ne!(other["batch_id"], report["batch_id"]);
    let clubs = file("clubs.ndjson", "{\"name\":\"NMK Nyby\"}\n{\"nam\":1}\n");
    let (status, report, said) = run(&["submit", "--kind", "upsert_club", "--dry-run", &clubs]).await;
    assert_eq!(
        (status, &report["dry_run"], &report["failed"]),
        (1, &json!(true), &json!(1)),
        "{said}"
    );
    let failure = &report["failures"][0];
    assert_eq!(
        (&failure["n"], &failure["code"]),
        (&json!(2), &json!("unknown_field"))
    );
    assert!(said.contains("1 items failed"), "{said}");
    let (status, looked, _) = run(&["status", report["batch_id"].as_str().unwrap()]).await;
    assert_eq!((status, &looked), (1, &report));

    let latin = directory.join("latin.csv");
    std::fs::write(&latin, b"name\nNMK Bod\xf8\n").unwrap();
    let nowhere = Uuid::now_v7().to_string();
    for (arguments, why) in [
        (
            &["submit", "--kind", "upsert_club", latin.to_str().unwrap()][..],
            "Line 2 is not UTF-8",
        ),
        (&["submit", &clubs][..], "Say what the items are"),
        (
            &["submit", "--kind", "upsert_club", "/nowhere.csv"][..],
            "cannot read /nowhere.csv",
        ),
        (&["submit", "--kind", "upsert_club", "-"][..], "--format"),
        (&["status", &nowhere][..], "there is no batch"),
        (&["submit", "--kind", "clubs", &clubs][..], "upsert_club"),
    ] {
        let (status, _, said) = run(arguments).await;
        assert!(
            status == 2 && said.contains(why),
            "{arguments:?}: {status} {said}"
        );
    }
    assert_eq!(count(&shop, "select count(*) from staged_chunks").await, 0);
    std::fs::remove_dir_all(directory).unwrap();
    shop.close().await;
}
