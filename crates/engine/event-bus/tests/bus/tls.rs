//! NATS by TLS only, and only with a certificate.

use std::path::PathBuf;

use event_bus::{Access, Connection, Login, Password, TlsFiles, connect_as};
use stack::{Authority, NatsLogins, Servers};

use crate::nats::eventually;

async fn connect(servers: &Servers, authority: PathBuf, identity: bool) -> Connection {
    let files = servers.certificates().unwrap();
    let client = identity.then(|| files.client.clone());
    let access = Access {
        url: servers.nats().url().to_owned(),
        login: Some(Login {
            user: "projector".into(),
            password: Password::File(servers.nats_logins().unwrap().file("projector")),
        }),
        api_prefix: NatsLogins::api_prefix("projector").to_owned(),
        tls: TlsFiles {
            authorities: Some(authority),
            certificate: client.as_ref().map(|client| client.certificate.clone()),
            key: client.map(|client| client.key),
        },
    };
    connect_as(&access, "test").await.unwrap()
}

#[tokio::test]
async fn who_is_not_trusted_is_told_and_a_renewed_file_counts_without_a_restart() {
    let servers = Servers::temporary_with_tls().await.unwrap();
    let ours = servers.certificates().unwrap().authority.clone();
    let dir = ours.parent().unwrap().join("elsewhere");
    Authority::create(&dir, "other").unwrap();
    let other = dir.join("other.pem");

    let trusting = connect(&servers, ours.clone(), true).await;
    connected(&trusting).await;
    let mistrusting = connect(&servers, other.clone(), true).await;
    says(&mistrusting, "UnknownIssuer").await;
    let unknown = connect(&servers, ours.clone(), false).await;
    says(&unknown, "no TLS connection").await;

    std::fs::copy(&ours, &other).unwrap();
    connected(&mistrusting).await;
    assert!(!unknown.is_connected());
    servers.stop().await;
}

async fn connected(connection: &Connection) {
    eventually("it is connected", async || match connection.problem() {
        None => Ok(()),
        Some(problem) => Err(problem),
    })
    .await;
}

async fn says(connection: &Connection, words: &str) {
    eventually(words, async || match connection.problem() {
        Some(problem) if problem.contains(words) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}
