//! Where the events of the history go: counted, in batches, and past those that the log holds already.

use anyhow::Context as _;
use envelope::Position;
use event_store::Past;
use tokio::sync::mpsc;

/// Events of one batch, about: enough that a batch costs little, few enough that its data keys are found quickly.
const AT_ONCE: usize = 256;

/// A piece of the history on its way to the log.
pub(crate) enum Part {
    /// The command with which the log ends, if it holds this history up to here.
    Known(Box<Past>, Position),
    /// What comes next, and how many of the orders are placed after it.
    Next(Vec<Past>, usize),
}

/// Takes the events in their order.
pub(crate) struct Outlet {
    end: u64,
    /// The log holds everything up to here.
    recorded: u64,
    batch: Vec<Past>,
    events: usize,
    parts: mpsc::Sender<Part>,
    /// How many orders are placed.
    pub(crate) orders: usize,
}

impl Outlet {
    pub(crate) const fn new(recorded: Position, parts: mpsc::Sender<Part>) -> Self {
        Self {
            end: 0,
            recorded: recorded.get(),
            batch: Vec::new(),
            events: 0,
            parts,
            orders: 0,
        }
    }

    /// Adds what a command decided. Returns the position of its last event.
    pub(crate) async fn add(&mut self, past: Past) -> anyhow::Result<Position> {
        let before = self.end;
        self.end += past.events.len() as u64;
        let end = Position::new(self.end);
        if before < self.recorded {
            if self.end >= self.recorded {
                self.send(Part::Known(Box::new(past), end)).await?;
            }
            return Ok(end);
        }
        self.events += past.events.len();
        self.batch.push(past);
        if self.events >= AT_ONCE {
            self.flush().await?;
        }
        Ok(end)
    }

    /// Sends what is left. Returns the number of events of the history.
    pub(crate) async fn flush(&mut self) -> anyhow::Result<u64> {
        self.events = 0;
        let batch = std::mem::take(&mut self.batch);
        self.send(Part::Next(batch, self.orders)).await?;
        Ok(self.end)
    }

    async fn send(&self, part: Part) -> anyhow::Result<()> {
        self.parts.send(part).await.ok().context("the import has ended")
    }
}
