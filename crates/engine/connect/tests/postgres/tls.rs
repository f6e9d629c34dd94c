//! Which clients and servers are trusted, with TLS.

use std::path::{Path, PathBuf};

use stack::{Authority, Certified, Postgres};

use crate::open;

/// A server with a certificate, its administrator's URL without parameters, and the directory with certificates.
struct Protected {
    server: Postgres,
    url: String,
    dir: PathBuf,
    _scratch: Postgres,
}

/// A server that has the certificate which `certify` makes.
async fn protected(certify: impl FnOnce(&Authority) -> Certified) -> Protected {
    // Only for a directory that the server's user can enter.
    let scratch = Postgres::temporary(&[]).await.unwrap();
    let dir = scratch.directory("tls").unwrap();
    let authority = Authority::create(&dir.join("files"), "ca").unwrap();
    let certified = certify(&authority);
    let file = |path: &Path| path.display().to_string();
    let (certificate, key) = (file(&certified.certificate), file(&certified.key));
    let settings = [
        ("ssl", "on"),
        ("ssl_cert_file", certificate.as_str()),
        ("ssl_key_file", key.as_str()),
    ];
    let server = Postgres::temporary(&settings).await.unwrap();
    Protected {
        url: server.server().url().to_owned(),
        server,
        dir: dir.join("files"),
        _scratch: scratch,
    }
}

impl Protected {
    fn url(&self, parameters: &str) -> String {
        format!("{}?{parameters}", self.url).replace("CA", &self.dir.join("ca.pem").display().to_string())
    }
}

/// Whether the session that came about is encrypted.
async fn encrypted(url: &str) -> bool {
    let client = open(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let row = client
        .query_one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", &[])
        .await
        .unwrap();
    row.get(0)
}

#[tokio::test]
async fn each_sslmode_does_what_its_name_says() {
    let test = protected(|authority| authority.server("server", &["127.0.0.1"]).unwrap()).await;
    for (parameters, tls) in [
        ("", true),
        ("sslmode=prefer", true),
        ("sslmode=disable", false),
        ("sslmode=require", true),
        ("sslmode=require&sslrootcert=CA", true),
        ("sslmode=verify-ca&sslrootcert=CA", true),
        ("sslmode=verify-full&sslrootcert=CA", true),
        ("sslrootcert=CA", true),
        ("sslmode=require&channel_binding=require", true),
    ] {
        assert_eq!(encrypted(&test.url(parameters)).await, tls, "{parameters}");
    }
    let words = test
        .server
        .server()
        .url()
        .parse::<tokio_postgres::Config>()
        .unwrap();
    let words = format!(
        "host=127.0.0.1 port={} user=postgres password={} sslmode=verify-full sslrootcert='{}'",
        words.get_ports()[0],
        String::from_utf8_lossy(words.get_password().unwrap()),
        test.dir.join("ca.pem").display()
    );
    assert!(encrypted(&words).await);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let test = protected(|authority| authority.server("server", &["127.0.0.1"]).unwrap()).await;
    Authority::create(&test.dir, "other").unwrap();
    for mode in ["verify-full", "verify-ca", "require"] {
        let other = test
            .url(&format!("sslmode={mode}&sslrootcert=CA"))
            .replace("ca.pem", "other.pem");
        let error = open(&other).await.unwrap_err();
        assert!(error.contains("UnknownIssuer"), "{mode}: {error}");
    }
    // Nor does the system know it.
    if let Err(error) = open(&test.url("sslmode=verify-full")).await {
        assert!(
            error.contains("UnknownIssuer") || error.contains("certificate authorities"),
            "{error}"
        );
    } else {
        panic!("a certificate that nobody knows was accepted");
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_unless_only_the_authority_is_asked_for() {
    let test = protected(|authority| authority.server("server", &["db.example"]).unwrap()).await;
    for mode in ["verify-full", "require"] {
        let error = open(&test.url(&format!("sslmode={mode}&sslrootcert=CA")))
            .await
            .unwrap_err();
        assert!(error.contains("not valid for name"), "{mode}: {error}");
    }
    assert!(encrypted(&test.url("sslmode=verify-ca&sslrootcert=CA")).await);
}

#[tokio::test]
async fn an_expired_certificate_is_refused_and_the_reason_is_said() {
    let test = protected(|authority| authority.expired_server("server", &["127.0.0.1"]).unwrap()).await;
    for mode in ["verify-full", "verify-ca"] {
        let error = open(&test.url(&format!("sslmode={mode}&sslrootcert=CA")))
            .await
            .unwrap_err();
        assert!(error.contains("certificate expired"), "{mode}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_by_who_demands_it() {
    let server = Postgres::temporary(&[]).await.unwrap();
    let url = server.server().url();
    for mode in ["require", "verify-full"] {
        let error = open(&format!("{url}?sslmode={mode}")).await.unwrap_err();
        assert!(error.contains("does not support TLS"), "{mode}: {error}");
    }
    assert!(!encrypted(url).await);
}

#[tokio::test]
async fn a_renewed_authority_counts_for_the_next_connection() {
    let test = protected(|authority| authority.server("server", &["127.0.0.1"]).unwrap()).await;
    let url = test.url("sslmode=verify-full&sslrootcert=CA");
    let database = connect::Database::parse(&url).unwrap();
    drop(database.connect().await.unwrap());
    // Both files change in place, under the same names.
    let renewed = Authority::create(&test.dir, "ca").unwrap();
    assert!(database.connect().await.is_err(), "it still believes the old one");
    renewed.server("server", &["127.0.0.1"]).unwrap();
    test.server.server().reload().unwrap();
    crate::eventually("the server has read its certificate again", async || {
        database.connect().await.ok().map(drop)
    })
    .await;
}

#[test]
fn what_can_not_work_is_said_before_any_connection_and_quotes_no_password() {
    let missing = "/nowhere/ca.pem";
    for (parameters, said) in [
        (
            format!("sslmode=verify-full&sslrootcert={missing}"),
            "/nowhere/ca.pem: cannot be read",
        ),
        (
            "sslmode=verify-full&sslrootcert=/etc/hostname".to_owned(),
            "/etc/hostname: holds no certificate",
        ),
        (
            "sslcert=/nowhere/me.pem".to_owned(),
            "sslcert and sslkey go together",
        ),
        (
            "sslcert=/nowhere/me.pem&sslkey=/nowhere/me.key".to_owned(),
            "/nowhere/me.pem: cannot be read",
        ),
        (
            format!("sslmode=disable&sslrootcert={missing}"),
            "sslmode verifies nothing",
        ),
        (
            format!("sslmode=prefer&sslrootcert={missing}"),
            "sslmode verifies nothing",
        ),
        (
            "sslmode=verify-ca&sslrootcert=system".to_owned(),
            "sslrootcert=system needs",
        ),
        ("sslmode=allow".to_owned(), "sslmode is none of"),
        ("sslpassword=hunter2".to_owned(), "sslpassword"),
    ] {
        let url = format!("postgres://a:hunter2@127.0.0.1/d?{parameters}");
        let error = connect::Database::parse(&url).unwrap_err().to_string();
        assert!(error.contains(said), "{parameters}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
