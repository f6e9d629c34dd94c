//! The stream holds what the log holds: each sequence is the position of the event in it, and none is missing.

use async_nats::jetstream::stream::{DirectGetErrorKind, Info, Stream};
use envelope::{LogHead, Position, RecordedEvent};
use event_bus::LOG_EPOCH;
use event_store::{Error as LogError, Log};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::unfinished::Unfinished;
use crate::connections::{Connections, StreamState};
use crate::progress::Progress;
use crate::report::Report;

/// How many differences are named.
const EXAMPLES: u64 = 5;
/// Messages read at once.
const AT_ONCE: usize = 4;

/// Compares `sample` messages, evenly spread, with the log; all of them if it is 0.
pub(super) async fn prove(
    connections: &Connections,
    state: &StreamState,
    head: LogHead,
    sample: u64,
    report: &mut Report,
) -> Result<(), Unfinished> {
    // An empty stream begins after its end.
    let span = (state.last + 1).saturating_sub(state.first);
    if state.messages != span {
        let lacks = span.saturating_sub(state.messages);
        report.problem(format!(
            "the stream lacks {lacks} messages between sequences {} and {}",
            state.first, state.last
        ));
    }
    let stream = connections.stream().await.map_err(Unfinished::Inconclusive)?;
    let sequences = spread(state.first, span, sample);
    let compared = sequences.len() as u64;
    let mut progress = Progress::new("comparing messages with the log", compared);
    let (stream, log) = (&stream, &connections.log);
    let mut comparing = stream::iter(sequences)
        .map(|sequence| compare(stream, log, sequence, head))
        .buffered(AT_ONCE);
    let (mut done, mut differ) = (0, 0);
    while let Some(compared) = comparing.next().await {
        if let Some(difference) = compared? {
            differ += 1;
            if differ <= EXAMPLES {
                report.problem(difference);
            }
        }
        done += 1;
        progress.at(done);
    }
    report.fact(
        "stream_proof",
        json!({"messages": state.messages, "compared": compared, "differ": differ}),
        format!(
            "{compared} of {} messages compared with the log, {differ} differ",
            state.messages
        ),
    );
    Ok(())
}

/// The sequences to compare: the first, the last, and others evenly between them.
fn spread(first: u64, span: u64, sample: u64) -> Vec<u64> {
    if sample == 0 || span <= sample {
        return (first..first + span).collect();
    }
    let last = first + span - 1;
    let step = span.div_ceil(sample).max(1);
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    (first..last).step_by(step).chain([last]).collect()
}

/// The problem of a message, if there is one.
async fn compare(
    stream: &Stream<Info>,
    log: &Log,
    sequence: u64,
    head: LogHead,
) -> Result<Option<String>, Unfinished> {
    let message = match stream.direct_get(sequence).await {
        Ok(message) => message,
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
            return missing(stream, sequence).await;
        }
        Err(error) => {
            let reason = format!("the stream does not give sequence {sequence}: {error}");
            return Err(Unfinished::Inconclusive(reason));
        }
    };
    let epoch = message.headers.get(LOG_EPOCH).map(ToString::to_string);
    if epoch != Some(head.epoch.to_string()) {
        return Ok(Some(format!(
            "stream sequence {sequence} is of another epoch of the log"
        )));
    }
    let Ok(event) = serde_json::from_slice::<RecordedEvent>(&message.payload) else {
        return Ok(Some(format!(
            "stream sequence {sequence} holds no recorded event"
        )));
    };
    if event.position.get() != sequence {
        let position = event.position;
        return Ok(Some(format!(
            "stream sequence {sequence} holds position {position}"
        )));
    }
    let before = Position::new(sequence - 1);
    let recorded = match log.read_after(before, 1).await {
        Ok(recorded) => recorded,
        Err(LogError::Unavailable(reason)) => return Err(Unfinished::Inconclusive(reason)),
        Err(error) => return Ok(Some(format!("stream sequence {sequence}: {error}"))),
    };
    // As values: the JSON may be written in another way.
    let same = recorded
        .first()
        .is_some_and(|recorded| value(recorded).is_some_and(|recorded| Some(recorded) == value(&event)));
    Ok((!same).then(|| format!("stream sequence {sequence} differs from the log's event at that position")))
}

fn value(event: &RecordedEvent) -> Option<Value> {
    serde_json::to_value(event).ok()
}

/// A message that is missing: removed by age since the stream was read, or lost.
async fn missing(stream: &Stream<Info>, sequence: u64) -> Result<Option<String>, Unfinished> {
    let now = stream
        .get_info()
        .await
        .map_err(|error| Unfinished::Inconclusive(format!("NATS does not answer: {error}")))?;
    let lost = sequence >= now.state.first_sequence;
    Ok(lost.then(|| format!("the stream lacks sequence {sequence}")))
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_sample_has_both_ends_and_is_not_larger_than_asked_for_by_more_than_one() {
        assert_eq!(spread(5, 0, 3), [0; 0]);
        assert_eq!(spread(5, 3, 3), [5, 6, 7]);
        assert_eq!(spread(5, 4, 0), [5, 6, 7, 8]);
        assert_eq!(spread(1, 10, 3), [1, 5, 9, 10]);
        assert_eq!(spread(1, 1_000_000, 1_000).len(), 1_001);
    }
}
