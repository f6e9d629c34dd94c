//! Switches that make the emulator fail as real providers do. A restart resets them.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The faults in force, and the body of `POST /emulator/faults`. A field left out is set to its default, so `{}` ends all
/// faults.
///
/// ```json
/// {"webhooks": {"delay_ms": 500}, "api": "unavailable", "create_conflict": true}
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What happens to webhooks sent from now on.
    pub webhooks: WebhookFault,
    /// How the merchant's API answers; the customer's page always works.
    pub api: ApiFault,
    /// Requests of this operation are refused, and no work is done: `"refund"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuse: Option<Operation>,
    /// Every create is answered 409, also after it created the payment.
    pub create_conflict: bool,
    /// Requests that wait until this is set to something else: `{"operation": "cancel", "before": "work"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// Which requests wait, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What is asked for.
    pub operation: Operation,
    /// The point at which the request waits. When the hold ends the request continues, even if its sender is gone.
    pub before: Point,
}

/// What a merchant can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A new payment.
    Create,
    /// A read of the payment.
    Get,
    /// Money to be taken.
    Capture,
    /// Money to be given back.
    Refund,
    /// A payment to be ended, or a reservation to be released.
    Cancel,
}

/// A point in the handling of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Before the work is done.
    Work,
    /// After the work is done and before the answer.
    Answer,
}

/// What happens to a webhook: `"deliver"`, `"drop"`, `"duplicate"`, `{"delay_ms": 500}` or `"corrupt_signature"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFault {
    /// Sent until accepted.
    #[default]
    Deliver,
    /// Never sent, not even later.
    Drop,
    /// Sent twice.
    Duplicate,
    /// Sent this many milliseconds late.
    DelayMs(u64),
    /// Sent with a signature that does not match.
    CorruptSignature,
}

/// How the API answers: `"ok"`, `"unavailable"`, `"answer_lost"` or `{"slow_ms": 2000}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiFault {
    /// Normally.
    #[default]
    Ok,
    /// 503, and no work is done.
    Unavailable,
    /// 503, although the work was done.
    AnswerLost,
    /// The work is done at once and answered this many milliseconds later.
    SlowMs(u64),
}

#[derive(Default)]
pub(super) struct FaultSwitch(watch::Sender<Faults>);

impl FaultSwitch {
    pub(super) fn get(&self) -> Faults {
        *self.0.borrow()
    }

    pub(super) fn set(&self, faults: Faults) {
        self.0.send_replace(faults);
    }

    pub(super) fn holds(&self, hold: Hold) -> bool {
        self.0.borrow().hold == Some(hold)
    }

    /// Waits until `hold` is not set, or no longer.
    pub(super) async fn let_go(&self, hold: Hold) {
        // The sender is this switch: it is there.
        let _ = self
            .0
            .subscribe()
            .wait_for(|faults| faults.hold != Some(hold))
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_documented() {
        let all = r#"{"webhooks":{"delay_ms":500},"api":{"slow_ms":2000},"create_conflict":true}"#;
        let faults: Faults = serde_json::from_str(all).unwrap();
        assert_eq!(faults.webhooks, WebhookFault::DelayMs(500));
        assert_eq!(serde_json::to_string(&faults).unwrap(), all);
        assert_eq!(serde_json::from_str::<Faults>("{}").unwrap(), Faults::default());
        let words = serde_json::from_str::<Faults>(r#"{"webhooks":"corrupt_signature","api":"answer_lost"}"#)
            .unwrap();
        assert_eq!(
            (words.webhooks, words.api),
            (WebhookFault::CorruptSignature, ApiFault::AnswerLost)
        );
        assert!(serde_json::from_str::<Faults>(r#"{"webhook":"drop"}"#).is_err());
        let held =
            serde_json::from_str::<Faults>(r#"{"hold":{"operation":"cancel","before":"work"}}"#).unwrap();
        let cancel = Hold {
            operation: Operation::Cancel,
            before: Point::Work,
        };
        assert_eq!(held.hold, Some(cancel));
    }
}
