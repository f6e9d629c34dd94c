//! The stream: sequence equals position, up to the head of the log, without a hole.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures_util::StreamExt;
use serde_json::Value;

use crate::Shop;

/// How long one page of messages may take.
const WAIT: Duration = Duration::from_secs(10);

/// The stream, if it can be read.
pub(crate) async fn stream(shop: &Shop) -> Option<Stream> {
    let bus = shop.bus("books").await.ok()?;
    bus.get_stream(shop.system.stream()).await.ok()
}

/// The stream's last sequence, if it can be read.
pub(super) async fn last(shop: &Shop) -> Option<u64> {
    Some(stream(shop).await?.cached_info().state.last_sequence)
}

pub(super) async fn complaints(shop: &Shop) -> Vec<String> {
    let Some(stream) = stream(shop).await else {
        return vec!["stream: it is not there".into()];
    };
    let state = stream.cached_info().state.clone();
    let mut complaints = Vec::new();
    let mut due = state.first_sequence;
    let config = pull::Config {
        ack_policy: AckPolicy::None,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    while due <= state.last_sequence {
        let before = due;
        let mut page = consumer
            .fetch()
            .max_messages(1_000)
            .expires(WAIT)
            .messages()
            .await
            .unwrap();
        while let Some(message) = page.next().await {
            let message = message.unwrap();
            let sequence = message.info().unwrap().stream_sequence;
            let event: Value = serde_json::from_slice(&message.payload).unwrap();
            let position = event["position"].as_u64().unwrap();
            if sequence != due || position != due {
                complaints.push(format!(
                    "stream: position {position} at sequence {sequence} where {due} was due"
                ));
            }
            due = sequence + 1;
        }
        if due == before {
            complaints.push(format!("stream: nothing comes after sequence {due}"));
            break;
        }
    }
    complaints
}
