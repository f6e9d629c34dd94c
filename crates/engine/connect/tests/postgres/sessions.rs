//! What sessions are set to.

use std::time::Duration;

use connect::Database;

async fn shown(database: &Database, settings: &[&str]) -> Vec<String> {
    let (client, connection) = database.connect().await.unwrap();
    tokio::spawn(connection);
    let mut values = Vec::new();
    for setting in settings {
        let row = client
            .query_one("select current_setting($1)", &[setting])
            .await
            .unwrap();
        values.push(row.get(0));
    }
    values
}

#[tokio::test]
async fn the_urls_own_settings_are_kept_and_ours_win_where_both_say_something() {
    let servers = stack::shared().await.unwrap();
    let url = format!(
        "{}?application_name=mine&options=-c%20search_path%3Da%2Cb%20-c%20lock_timeout%3D9s%20-c%20jit=on",
        servers.postgres().url()
    );
    let database = Database::parse(&url)
        .unwrap()
        .named("ours")
        .set(&[("lock_timeout", "2000"), ("engine.words", r"two words \")]);
    let names = [
        "search_path",
        "lock_timeout",
        "jit",
        "application_name",
        "engine.words",
    ];
    assert_eq!(
        shown(&database, &names).await,
        ["a,b", "2s", "on", "mine", r"two words \"]
    );
    let database = Database::parse(servers.postgres().url()).unwrap().named("ours");
    assert_eq!(shown(&database, &["application_name"]).await, ["ours"]);
}

#[test]
fn time_limits_in_the_url_are_kept_and_others_are_set() {
    let database = |parameters: &str| {
        Database::parse(&format!("postgres://a@127.0.0.1/d{parameters}"))
            .unwrap()
            .within(Duration::from_secs(4), Duration::from_secs(6))
    };
    let plain = database("");
    let config = plain.config();
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(4)));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(6)));
    assert!(config.get_keepalives());
    assert!(config.get_keepalives_idle() < Duration::from_mins(1));
    let given = database(
        "?connect_timeout=7&tcp_user_timeout=8&keepalives_idle=9&keepalives_interval=10&keepalives_retries=11&keepalives=0",
    );
    let config = given.config();
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(7)));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(8)));
    assert_eq!(config.get_keepalives_idle(), Duration::from_secs(9));
    assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(10)));
    assert_eq!(config.get_keepalives_retries(), Some(11));
    assert!(!config.get_keepalives());
}
