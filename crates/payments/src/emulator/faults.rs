//! Switches that make the emulator misbehave as providers do. They are forgotten when it stops.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What goes wrong until told otherwise; the body of `POST /emulator/faults`. A field left out is set to its default,
/// so `{}` mends everything.
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
    /// Every create is answered 409, also after it created the payment.
    pub create_conflict: bool,
}

/// What happens to a webhook: `"deliver"`, `"drop"`, `"duplicate"`, `{"delay_ms": 500}` or `"corrupt_signature"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFault {
    /// Sent until accepted.
    #[default]
    Deliver,
    /// Lost for good: never sent, also not later.
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
    /// As it should.
    #[default]
    Ok,
    /// 503, and nothing is done.
    Unavailable,
    /// 503, although the work was done.
    AnswerLost,
    /// The work is done at once and answered this many milliseconds later.
    SlowMs(u64),
}

#[derive(Default)]
pub(super) struct FaultSwitch(Mutex<Faults>);

impl FaultSwitch {
    pub(super) fn get(&self) -> Faults {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, faults: Faults) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = faults;
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
    }
}
