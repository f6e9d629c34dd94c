//! A network between a consumer and NATS that loses, doubles, delays and reorders what the stream delivers.
//!
//! It parses just enough of the protocol to tell the stream's messages (`MSG` and `HMSG` with a `$JS.ACK…` reply) from
//! everything else, which it passes on untouched.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What was done to messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) passed: u64,
    pub(crate) dropped: u64,
    pub(crate) doubled: u64,
    /// Held back until others had overtaken them.
    pub(crate) delayed: u64,
}

/// The network, until it is dropped.
pub(crate) struct Proxy {
    /// The server's URL, by way of it.
    pub(crate) url: String,
    done: Arc<Mutex<Done>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Before the server at `url`. The same seed does the same to the same messages.
    pub(crate) async fn before(url: &str, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (login, server) = url.rsplit_once('@').map_or_else(
            || {
                url.rsplit_once("//")
                    .map(|(scheme, host)| (format!("{scheme}//"), host))
                    .unwrap()
            },
            |(login, host)| (format!("{login}@"), host),
        );
        let (server, done) = (server.to_owned(), Arc::new(Mutex::new(Done::default())));
        let told = Arc::clone(&done);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            let mut fate = Fate(seed);
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    continue;
                };
                let (mut from_client, mut to_client) = client.into_split();
                let (from_server, mut to_server) = server.into_split();
                let (mut fate, told) = (fate.split(), Arc::clone(&told));
                connections.spawn(async move {
                    copy(&mut from_client, &mut to_server).await.ok();
                });
                connections.spawn(async move {
                    spoil(BufReader::new(from_server), &mut to_client, &mut fate, &told).await;
                    to_client.shutdown().await.ok();
                });
            }
        });
        let url = format!("{login}{address}");
        Self { url, done, task }
    }

    pub(crate) fn done(&self) -> Done {
        *self.done.lock().unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One direction of one connection, until either side ends it.
async fn spoil(
    mut from: BufReader<impl AsyncRead + Unpin>,
    to: &mut (impl AsyncWriteExt + Unpin),
    fate: &mut Fate,
    told: &Mutex<Done>,
) {
    // Messages held back, each with how many may still overtake it.
    let mut held: Vec<(u64, Vec<u8>)> = Vec::new();
    while let Some((frame, is_message)) = frame(&mut from).await {
        let mut out = Vec::new();
        if is_message {
            let mut done = told.lock().unwrap();
            match fate.next() % 100 {
                0..3 => done.dropped += 1,
                3..8 => {
                    done.doubled += 1;
                    out = [frame.clone(), frame].concat();
                }
                8..12 => {
                    done.delayed += 1;
                    held.push((1 + fate.next() % 40, frame));
                }
                _ => {
                    done.passed += 1;
                    out = frame;
                }
            }
        } else {
            out = frame;
        }
        for (left, _) in &mut held {
            *left -= 1;
        }
        for (_, late) in held.extract_if(.., |(left, _)| *left == 0) {
            out.extend(late);
        }
        if to.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// The next frame, and whether it is a message of a stream.
async fn frame(from: &mut BufReader<impl AsyncRead + Unpin>) -> Option<(Vec<u8>, bool)> {
    let mut frame = Vec::new();
    from.read_until(b'\n', &mut frame)
        .await
        .ok()
        .filter(|read| *read > 0)?;
    let line = String::from_utf8_lossy(&frame).into_owned();
    let words: Vec<&str> = line.split_whitespace().collect();
    if !matches!(words.first(), Some(&("MSG" | "HMSG"))) {
        return Some((frame, false));
    }
    // The last word is the length of all that follows, but for a line break.
    let length: usize = words.last()?.parse().ok()?;
    let begin = frame.len();
    frame.resize(begin + length + 2, 0);
    from.read_exact(&mut frame[begin..]).await.ok()?;
    let of_a_stream = words.get(3).is_some_and(|reply| reply.starts_with("$JS.ACK."));
    Some((frame, of_a_stream))
}

/// Random numbers that a seed repeats (`SplitMix64`).
struct Fate(u64);

impl Fate {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn split(&mut self) -> Self {
        Self(self.next())
    }
}
