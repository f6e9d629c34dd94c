//! Accepts SMTP connections, a bounded number at a time, each for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Mail;
use super::session::Session;

/// Each may hold one letter in memory while it comes in.
const MAX_CONNECTIONS: usize = 32;
const MAX_SESSION: Duration = Duration::from_mins(30);
/// After a failed accept, which is a lack of file handles.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, and then until letters under way are answered.
pub(super) async fn serve(listener: &TcpListener, mail: &Mail, shutdown: &CancellationToken) {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut sessions = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = sessions.join_next() => continue,
            () = shutdown.cancelled() => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        match Arc::clone(&free).try_acquire_owned() {
            Ok(permit) => {
                let (mail, shutdown) = (mail.clone(), shutdown.clone());
                sessions.spawn(async move {
                    // A connection that fails or lasts too long just ends: its client decides what to do.
                    let _ =
                        tokio::time::timeout(MAX_SESSION, Session::new(stream, mail, shutdown).run()).await;
                    drop(permit);
                });
            }
            Err(_) => turn_away(stream).await,
        }
    }
    while sessions.join_next().await.is_some() {}
}

async fn turn_away(mut stream: TcpStream) {
    // A new connection has room for one line, so this waits for nothing.
    let _ = stream.write_all(b"421 4.7.0 Too many connections\r\n").await;
}
