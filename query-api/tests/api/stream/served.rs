//! Through the server: its limits of a request do not cut a stream, and a stream does not hold up its end.

use std::time::Duration;

use anyhow::{Context as _, Result};
use query_api::router;
use query_api::stream::StreamOptions;
use service::http::HttpOptions;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::events::with;
use crate::support::{App, DEADLINE};

#[tokio::test]
async fn a_stream_outlasts_the_time_of_a_request_and_ends_with_the_server() -> Result<()> {
    let mut app = App::start().await?;
    app.project_to(7).await?;
    let request_timeout = Duration::from_secs(1);
    let heartbeat = Duration::from_millis(500);
    let options = StreamOptions {
        heartbeat,
        ..StreamOptions::default()
    };
    let stop = with(&mut app, options);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let options = HttpOptions {
        request_timeout,
        // The server would wait for a stream as long as this, and the test gives up before.
        drain_timeout: 3 * DEADLINE,
        ..HttpOptions::default()
    };
    let served = service::http::serve(listener, router::router(app.state.clone()), options, stop.clone());
    let served = tokio::spawn(served);

    let mut client = BufReader::new(TcpStream::connect(address).await?);
    let request = format!(
        "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        app.staff()
    );
    client.write_all(request.as_bytes()).await?;
    let mut heartbeats = 0;
    let mut ended = String::new();
    while !ended.ends_with("\"shutdown\"}\n") {
        let mut line = String::new();
        let read = timeout(DEADLINE, client.read_line(&mut line)).await?;
        anyhow::ensure!(read? > 0, "cut off after {heartbeats} heartbeats: {ended}");
        heartbeats += u32::from(line.starts_with(": "));
        if heartbeats == 4 {
            stop.cancel();
        }
        ended = line;
    }
    timeout(DEADLINE, served)
        .await
        .context("the drain waits for a stream")???;
    Ok(())
}
