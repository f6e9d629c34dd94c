//! A TCP proxy between one program and one server. A test cuts, stalls or slows down the network between these two alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::ports::Port;

/// Bytes read at once; with a delay, also the most that passes within one delay.
const CHUNK: usize = 16 * 1024;

/// The state of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Bytes arrive.
    Whole,
    /// Connections are reset, new ones at once.
    Cut,
    /// Connections stay open. Bytes in this direction arrive only when the network is whole again.
    Stalled(Direction),
    /// Every piece arrives this much later.
    Slow(Duration),
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the program to the server: requests are lost, and answers still arrive.
    ToServer,
    /// From the server to the program: requests are carried out, and their answers are lost.
    ToProgram,
    /// Both ways.
    Both,
}

impl Network {
    fn stalls(self, direction: Direction) -> bool {
        matches!(self, Self::Stalled(stalled) if stalled == Direction::Both || stalled == direction)
    }
}

/// Listens on its own port and passes bytes on while the network is whole. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    network: watch::Sender<Network>,
    connections: Arc<AtomicUsize>,
    _accepting: AbortOnDropHandle<()>,
}

impl Proxy {
    /// In front of the server at `address`.
    pub async fn start(address: String) -> anyhow::Result<Self> {
        let port = Port::any()?;
        let listener = TcpListener::bind(port.address())
            .await
            .with_context(|| format!("cannot listen on {}", port.address()))?;
        let network = watch::Sender::new(Network::Whole);
        let connections = Arc::new(AtomicUsize::new(0));
        let accepting = accept(listener, address, network.subscribe(), Arc::clone(&connections));
        Ok(Self {
            port,
            network,
            connections,
            _accepting: AbortOnDropHandle::new(tokio::spawn(accepting)),
        })
    }

    /// The port that stands for the server.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Sets the state of the network.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How many connections go through it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    address: String,
    network: watch::Receiver<Network>,
    connections: Arc<AtomicUsize>,
) {
    // Dropping the set ends the connections with the proxy.
    let mut passing = tokio::task::JoinSet::new();
    loop {
        while passing.try_join_next().is_some() {}
        let Ok((program, _)) = listener.accept().await else {
            // Out of file descriptors, most likely; a connection that ends frees some.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (address, network, connections) = (address.clone(), network.clone(), Arc::clone(&connections));
        passing.spawn(async move {
            connections.fetch_add(1, Ordering::Relaxed);
            // A failed connection ends on both sides, as it would without a proxy.
            let _ = pass(program, &address, network).await;
            connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn pass(
    mut program: TcpStream,
    address: &str,
    mut network: watch::Receiver<Network>,
) -> std::io::Result<()> {
    if *network.borrow() == Network::Cut {
        return program.set_zero_linger();
    }
    let mut server = TcpStream::connect(address).await?;
    program.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (there, back) = (network.clone(), network.clone());
    let (from_program, to_program) = program.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        both = async {
            tokio::try_join!(
                pump(from_program, to_server, Direction::ToServer, there),
                pump(from_server, to_program, Direction::ToProgram, back),
            )
        } => both.map(drop),
        _ = network.wait_for(|network| *network == Network::Cut) => {
            // A reset, and not an orderly end.
            program.set_zero_linger()?;
            server.set_zero_linger()
        }
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    direction: Direction,
    mut network: watch::Receiver<Network>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer).await?;
        let now = *network.borrow();
        if let Network::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        // The end of a connection does not arrive, either.
        let given_up = network
            .wait_for(|network| !network.stalls(direction))
            .await
            .is_err();
        if given_up {
            return Ok(());
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
