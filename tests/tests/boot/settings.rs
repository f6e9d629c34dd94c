//! Settings that are missing or wrong: the message names the setting, and never contains a secret.

use std::collections::BTreeMap;
use std::net::TcpListener;

use crate::run;

/// In every secret below.
const SECRET: &str = "hunter2";

/// Settings of all servers, complete and well-formed. No server listens at those addresses.
pub(crate) fn fine() -> BTreeMap<&'static str, String> {
    let nobody = "127.0.0.1:1";
    let listen = "127.0.0.1:0".to_owned();
    BTreeMap::from([
        ("LISTEN", listen.clone()),
        ("OPS_LISTEN", listen),
        (
            "EVENTS_DATABASE_URL",
            format!("postgres://command_api:{SECRET}@{nobody}/events"),
        ),
        (
            "READ_DATABASE_URL",
            format!("postgres://projector:{SECRET}@{nobody}/read"),
        ),
        (
            "READ_REPLICA_URLS",
            format!("postgres://query_api:{SECRET}@{nobody}/read"),
        ),
        ("NATS_URL", format!("nats://user:{SECRET}@{nobody}")),
        ("JWT_ISSUER", "https://issuer.example".to_owned()),
        ("JWKS_URL", format!("http://{nobody}/jwks.json")),
        ("VIPPS_BASE_URL", format!("http://{nobody}")),
        ("VIPPS_CLIENT_ID", "client".to_owned()),
        ("VIPPS_CLIENT_SECRET", format!("client-{SECRET}")),
        ("VIPPS_SUBSCRIPTION_KEY", format!("subscription-{SECRET}")),
        ("VIPPS_MSN", "123456".to_owned()),
        ("VIPPS_WEBHOOK_SECRET", format!("webhook-{SECRET}")),
        (
            "MASTER_KEY_FILE",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boot/master.keys").to_owned(),
        ),
        (
            "SESSION_KEYS_FILE",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boot/master.keys").to_owned(),
        ),
        ("OIDC_DISCOVERY_URL", format!("http://{nobody}/description")),
        ("OIDC_CLIENT_ID", "front-door".to_owned()),
        ("PUBLIC_URL", format!("http://{nobody}")),
        ("HOLDER_KEY", format!("{SECRET}-and-at-least-thirty-two-bytes")),
        ("RETURN_KEY", format!("{SECRET}-and-at-least-thirty-two-bytes")),
        ("WEBHOOK_URL", format!("http://{nobody}/api/v1/webhooks/vipps")),
        ("WEBHOOK_SECRET", format!("webhook-{SECRET}")),
        ("NEXI_SECRET_KEY", format!("nexi-{SECRET}")),
        ("OIDC_CLIENT_SECRET", format!("oidc-{SECRET}")),
        ("CURSOR_SECRET", format!("{SECRET}-and-at-least-thirty-two-bytes")),
    ])
}

/// Changes one setting (`None` removes it), and requires a refusal for that reason, without a secret in it.
async fn refused(program: &str, name: &'static str, value: Option<&str>, reason: &str) {
    let mut settings = fine();
    match value {
        Some(value) => settings.insert(name, value.to_owned()),
        None => settings.remove(name),
    };
    let ended = run(program, &["serve"], &settings).await;
    ended.because(reason);
    assert!(
        !ended.output.contains(SECRET),
        "{program} tells a secret: {}",
        ended.output
    );
}

#[tokio::test]
async fn missing_setting_is_named() {
    for (program, needed) in [
        (
            "command-api",
            [
                "EVENTS_DATABASE_URL",
                "NATS_URL",
                "JWT_ISSUER",
                "JWKS_URL",
                "VIPPS_CLIENT_ID",
                "MASTER_KEY_FILE",
            ]
            .as_slice(),
        ),
        (
            "projector",
            &["EVENTS_DATABASE_URL", "READ_DATABASE_URL", "NATS_URL"],
        ),
        ("query-api", &["READ_DATABASE_URL", "JWT_ISSUER", "JWKS_URL"]),
        (
            "front-door",
            &[
                "JWT_ISSUER",
                "JWKS_URL",
                "OIDC_DISCOVERY_URL",
                "OIDC_CLIENT_ID",
                "PUBLIC_URL",
                "SESSION_KEYS_FILE",
            ],
        ),
        (
            "payment-emulator",
            &[
                "VIPPS_CLIENT_ID",
                "VIPPS_CLIENT_SECRET",
                "VIPPS_SUBSCRIPTION_KEY",
                "VIPPS_MSN",
            ],
        ),
    ] {
        for name in needed {
            refused(program, name, None, &flag(name)).await;
        }
    }
    // Required as a value or as a file: our own check refuses their absence, before the program waits for a server.
    for name in [
        "VIPPS_CLIENT_SECRET",
        "VIPPS_SUBSCRIPTION_KEY",
        "VIPPS_WEBHOOK_SECRET",
        "RETURN_KEY",
    ] {
        refused("command-api", name, None, &flag(name)).await;
    }
    refused("query-api", "CURSOR_SECRET", None, "CURSOR_SECRET_FILE").await;
    refused("query-api", "RETURN_KEY", None, "RETURN_KEY_FILE").await;
    refused("payment-emulator", "WEBHOOK_SECRET", None, "--webhook-secret").await;
}

#[tokio::test]
async fn wrong_setting_is_named_and_its_secret_is_not() {
    for program in ["command-api", "projector", "query-api", "front-door"] {
        refused(program, "OPS_LISTEN", Some("nowhere"), "--ops-listen").await;
        refused(program, "LOG_FILTER", Some("info,="), "log filter").await;
        refused(program, "LOG_FORMAT", Some("xml"), "--log-format").await;
    }
    refused("payment-emulator", "LISTEN", Some("nowhere"), "--listen").await;
    refused(
        "payment-emulator",
        "FAULTS",
        Some(r#"{"rules":[{"fault":{"fail":200}}]}"#),
        "status is not 500 to 599",
    )
    .await;

    let url = format!("postgres://user:{SECRET}@127.0.0.1:port/db");
    refused("command-api", "EVENTS_DATABASE_URL", Some(&url), "database URL").await;
    refused("projector", "EVENTS_DATABASE_URL", Some(&url), "database URL").await;
    refused("projector", "READ_DATABASE_URL", Some(&url), "database URL").await;
    refused("query-api", "READ_DATABASE_URL", Some(&url), "database URL").await;
    let second = format!("postgres://127.0.0.1:1/db, {url}");
    refused("query-api", "READ_REPLICA_URLS", Some(&second), "database URL").await;
    refused("query-api", "REPLICA_MAX_LAG_S", Some("0"), "--replica-max-lag-s").await;
    let url = format!("nats://user:{SECRET}@127.0.0.1:port");
    refused("command-api", "NATS_URL", Some(&url), "NATS URL").await;
    refused("projector", "NATS_URL", Some(&url), "NATS URL").await;
    for program in ["command-api", "projector"] {
        refused(program, "NATS_PASSWORD", Some(SECRET), "without a user").await;
        refused(program, "NATS_USER", Some("projector"), "without a password").await;
    }

    for program in ["command-api", "query-api", "front-door"] {
        refused(program, "JWKS_URL", Some("not a url"), "JWKS URL").await;
        refused(program, "JWT_ALGORITHM", Some("none"), "--jwt-algorithm").await;
    }
    refused("command-api", "PUBLIC_URL", Some("not a url"), "--public-url").await;
    refused("command-api", "VIPPS_BASE_URL", Some("not a url"), "vipps").await;
    refused("command-api", "ORDER_TTL_S", Some("0"), "--order-ttl-s").await;
    refused("query-api", "LICENSE_KEYS_FILE", Some("/keys"), "--root-key-file").await;
    refused(
        "query-api",
        "SELLER_ORGANIZATION_NUMBER",
        Some("123456786"),
        "--seller-organization-number",
    )
    .await;
    refused(
        "command-api",
        "VIPPS_WEBHOOK_SECRET_FILE",
        Some("/nonexistent"),
        "/nonexistent",
    )
    .await;
    refused(
        "query-api",
        "CURSOR_SECRET_FILE",
        Some("/nonexistent"),
        "/nonexistent",
    )
    .await;
    refused("query-api", "CURSOR_SECRET", Some("hunter"), "needs at least 32").await;
    refused(
        "payment-emulator",
        "WEBHOOK_URL",
        Some("not a url"),
        "webhook URL",
    )
    .await;
    refused(
        "payment-emulator",
        "DATA_FILE",
        Some("/nonexistent/payments"),
        "/nonexistent/payments",
    )
    .await;
}

#[tokio::test]
async fn wrong_setting_of_the_front_door_is_named() {
    let plain = Some("http://shop.example");
    refused("front-door", "PUBLIC_URL", plain, "--public-url").await;
    refused(
        "front-door",
        "OIDC_DISCOVERY_URL",
        Some("not a url"),
        "discovery URL",
    )
    .await;
    refused(
        "front-door",
        "OIDC_CLIENT_ID",
        Some("bilsportlisens"),
        "--oidc-client-id",
    )
    .await;
    refused(
        "front-door",
        "SESSION_KEYS_FILE",
        Some("/nonexistent"),
        "/nonexistent",
    )
    .await;
}

#[tokio::test]
async fn every_secret_and_url_is_taken_from_a_file_as_well_and_not_from_both() {
    let dir = std::env::temp_dir().join(format!("settings-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (empty, bad_url) = (dir.join("empty"), dir.join("url"));
    std::fs::write(&empty, "\n").unwrap();
    std::fs::write(&bad_url, format!("postgres://user:{SECRET}@127.0.0.1:port/db\n")).unwrap();
    for (program, name, file) in [
        ("command-api", "EVENTS_DATABASE_URL", "EVENTS_DATABASE_URL_FILE"),
        ("command-api", "NATS_URL", "NATS_URL_FILE"),
        ("command-api", "VIPPS_CLIENT_SECRET", "VIPPS_CLIENT_SECRET_FILE"),
        (
            "command-api",
            "VIPPS_SUBSCRIPTION_KEY",
            "VIPPS_SUBSCRIPTION_KEY_FILE",
        ),
        ("command-api", "VIPPS_WEBHOOK_SECRET", "VIPPS_WEBHOOK_SECRET_FILE"),
        ("projector", "EVENTS_DATABASE_URL", "EVENTS_DATABASE_URL_FILE"),
        ("projector", "READ_DATABASE_URL", "READ_DATABASE_URL_FILE"),
        ("projector", "NATS_URL", "NATS_URL_FILE"),
        ("query-api", "READ_DATABASE_URL", "READ_DATABASE_URL_FILE"),
        ("query-api", "READ_REPLICA_URLS", "READ_REPLICA_URLS_FILE"),
        ("query-api", "CURSOR_SECRET", "CURSOR_SECRET_FILE"),
        (
            "payment-emulator",
            "VIPPS_CLIENT_SECRET",
            "VIPPS_CLIENT_SECRET_FILE",
        ),
        (
            "payment-emulator",
            "VIPPS_SUBSCRIPTION_KEY",
            "VIPPS_SUBSCRIPTION_KEY_FILE",
        ),
        ("payment-emulator", "WEBHOOK_SECRET", "WEBHOOK_SECRET_FILE"),
        ("payment-emulator", "NEXI_SECRET_KEY", "NEXI_SECRET_KEY_FILE"),
        ("front-door", "OIDC_CLIENT_SECRET", "OIDC_CLIENT_SECRET_FILE"),
    ] {
        let with = async |value: Option<&str>, path: &str, said: &str| {
            let mut settings = fine();
            settings.remove(name);
            settings.extend(value.map(|value| (name, value.to_owned())));
            settings.insert(file, path.to_owned());
            let ended = run(program, &["serve"], &settings).await;
            ended.because(said);
            ended.because(file);
            assert!(!ended.output.contains(SECRET), "{program}: {}", ended.output);
        };
        with(fine().get(name).map(String::as_str), "/nonexistent", "both given").await;
        with(None, "/nonexistent/secret", "cannot read /nonexistent/secret").await;
        with(None, &empty.display().to_string(), "is empty").await;
        if name.ends_with("DATABASE_URL") || name.ends_with("REPLICA_URLS") {
            // The file is read without its line break, so that only the port is wrong.
            let mut settings = fine();
            settings.remove(name);
            settings.insert(file, bad_url.display().to_string());
            run(program, &["serve"], &settings).await.because("database URL");
        }
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_certificate_authority_that_is_not_there_is_named_at_once() {
    let missing = "/nonexistent/ca.pem";
    let url = format!("postgres://user:{SECRET}@127.0.0.1:1/db?sslmode=verify-full&sslrootcert={missing}");
    refused("command-api", "EVENTS_DATABASE_URL", Some(&url), missing).await;
    refused("projector", "EVENTS_DATABASE_URL", Some(&url), missing).await;
    refused("projector", "READ_DATABASE_URL", Some(&url), missing).await;
    refused("query-api", "READ_DATABASE_URL", Some(&url), missing).await;
    for program in ["command-api", "projector"] {
        refused(program, "NATS_CA_FILE", Some(missing), missing).await;
        refused(program, "NATS_CERT_FILE", Some(missing), "go together").await;
    }
}

#[tokio::test]
async fn port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (program, variable) in [
        ("command-api", "OPS_LISTEN"),
        ("projector", "OPS_LISTEN"),
        ("query-api", "OPS_LISTEN"),
        ("front-door", "OPS_LISTEN"),
        ("payment-emulator", "LISTEN"),
    ] {
        refused(program, variable, Some(&address), &address).await;
    }
}

/// The flag that goes with a variable.
fn flag(variable: &str) -> String {
    format!("--{}", variable.to_lowercase().replace('_', "-"))
}
