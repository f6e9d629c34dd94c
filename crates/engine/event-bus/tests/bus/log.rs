//! A log in memory: what the bus knows of PostgreSQL, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use envelope::{LogError, LogHead, LogReader, Metadata, Position, RecordedEvent};
use tokio::sync::watch;
use uuid::Uuid;

#[derive(Clone)]
pub(crate) struct TestLog(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    down: AtomicBool,
    head_watch: watch::Sender<Position>,
}

struct State {
    events: Vec<RecordedEvent>,
    epoch: Uuid,
}

impl TestLog {
    pub(crate) fn with_events(count: u64) -> Self {
        let state = Mutex::new(State {
            events: Vec::new(),
            epoch: Uuid::new_v4(),
        });
        let head_watch = watch::Sender::new(Position::START);
        let log = Self(Arc::new(Inner {
            state,
            down: AtomicBool::new(false),
            head_watch,
        }));
        log.append(count);
        log
    }

    pub(crate) fn append(&self, count: u64) {
        for _ in 0..count {
            self.append_with(&serde_json::json!({"said": "something"}));
        }
    }

    pub(crate) fn append_with(&self, payload: &serde_json::Value) {
        let position = {
            let mut state = self.0.state.lock().unwrap();
            let position = Position::new(state.events.len() as u64 + 1);
            let event = RecordedEvent {
                position,
                aggregate_type: "thing".into(),
                aggregate_id: Uuid::from_u128(u128::from(position.get() % 50) * 7_919),
                sequence: position.get() / 50 + 1,
                event_type: "ThingHappened".into(),
                event_version: "1".into(),
                payload: serde_json::value::to_raw_value(payload).unwrap(),
                metadata: Metadata::default(),
                recorded_at: DateTime::<Utc>::UNIX_EPOCH,
            };
            state.events.push(event);
            position
        };
        self.0.head_watch.send_replace(position);
    }

    /// As after a restore from a backup: cut back, in a new epoch.
    pub(crate) fn restore_to(&self, count: usize) {
        let mut state = self.0.state.lock().unwrap();
        state.events.truncate(count);
        state.epoch = Uuid::new_v4();
    }

    /// As after a restore without a new epoch: cut back, and other events since.
    pub(crate) fn rewrite_after(&self, count: usize, more: u64) {
        self.0.state.lock().unwrap().events.truncate(count);
        self.append(more);
        let mut state = self.0.state.lock().unwrap();
        for event in &mut state.events[count..] {
            event.recorded_at += chrono::TimeDelta::hours(1);
        }
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.0.down.store(down, Ordering::SeqCst);
    }

    pub(crate) fn epoch(&self) -> Uuid {
        self.0.state.lock().unwrap().epoch
    }

    pub(crate) fn events(&self) -> Vec<RecordedEvent> {
        self.0.state.lock().unwrap().events.clone()
    }

    pub(crate) fn head_watch(&self) -> watch::Receiver<Position> {
        self.0.head_watch.subscribe()
    }

    fn up(&self) -> Result<(), LogError> {
        if self.0.down.load(Ordering::SeqCst) {
            Err("the log is down".into())
        } else {
            Ok(())
        }
    }
}

impl LogReader for TestLog {
    async fn head(&self) -> Result<LogHead, LogError> {
        self.up()?;
        let state = self.0.state.lock().unwrap();
        Ok(LogHead {
            position: Position::new(state.events.len() as u64),
            epoch: state.epoch,
        })
    }

    async fn read_after(&self, after: Position, limit: u32) -> Result<Vec<RecordedEvent>, LogError> {
        self.up()?;
        let after = usize::try_from(after.get())?;
        let state = self.0.state.lock().unwrap();
        Ok(state
            .events
            .iter()
            .skip(after)
            .take(limit as usize)
            .cloned()
            .collect())
    }
}
