//! Whether another program of ours works, by its readiness: for those who tell people what works. Nothing depends on it.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use reqwest::{Client, StatusCode, Url};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon it is asked again before it counts as away: an answer can be late for a moment.
const AGAIN: Duration = Duration::from_millis(500);

/// What is known of another program. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Neighbour {
    ready: watch::Receiver<Option<bool>>,
}

impl Neighbour {
    /// Asks the instances at these addresses of their `/health/ready` in the background, until shutdown. Only an address
    /// that can't be used is an error.
    pub fn watch(addresses: &[String], shutdown: CancellationToken) -> anyhow::Result<Self> {
        let parsed = |address: &String| {
            address
                .parse()
                .with_context(|| format!("{address:?} is no address"))
        };
        let addresses: Vec<Url> = addresses.iter().map(parsed).collect::<Result<_, _>>()?;
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("cannot build the client that asks for readiness")?;
        let (sender, ready) = watch::channel(None);
        tokio::spawn(shutdown.run_until_cancelled_owned(async move {
            loop {
                let mut is_ready = ask(&client, &addresses).await;
                if !is_ready {
                    tokio::time::sleep(AGAIN).await;
                    is_ready = ask(&client, &addresses).await;
                }
                sender.send_replace(Some(is_ready));
                tokio::time::sleep(EVERY).await;
            }
        }));
        Ok(Self { ready })
    }

    /// Whether one of its instances is ready; nothing before that is known.
    pub fn is_ready(&self) -> Option<bool> {
        *self.ready.borrow()
    }
}

/// Whether one is ready. All are asked at once, so that one that is silent costs no time of the others.
async fn ask(client: &Client, addresses: &[Url]) -> bool {
    let answers = addresses.iter().map(|address| async {
        let answer = client.get(address.clone()).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    });
    join_all(answers).await.contains(&true)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::Neighbour;

    /// Answers every request with one status.
    async fn answering(listener: TcpListener, status: &'static str) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }

    async fn until(neighbour: &Neighbour, expected: bool) {
        let begun = Instant::now();
        while neighbour.is_ready() != Some(expected) {
            assert!(begun.elapsed() < Duration::from_secs(20), "not {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn one_instance_that_is_ready_is_enough() {
        let (one, other) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let address =
            |listener: &TcpListener| format!("http://{}/health/ready", listener.local_addr().unwrap());
        let addresses = [address(&one), address(&other)];
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        let neighbour = Neighbour::watch(&addresses, stop).unwrap();
        tokio::spawn(answering(one, "503 Service Unavailable"));
        let ready = tokio::spawn(answering(other, "200 OK"));
        until(&neighbour, true).await;
        ready.abort();
        until(&neighbour, false).await;
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        assert!(Neighbour::watch(&["nowhere".to_owned()], CancellationToken::new()).is_err());
    }
}
