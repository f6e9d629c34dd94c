//! What can go wrong, as a test or an operator tells it to. A restart leaves only what the command line says.

use serde::{Deserialize, Serialize};

/// The faults in force, and the body of `POST /emulator/faults`. A field left out is set to its default, so `{}` ends all
/// faults.
///
/// `webhooks`, `api` and `create_conflict` are short for rules without a scope. `rules` has everything:
///
/// ```json
/// {"rules": [
///   {"fault": "answer_never", "operation": "capture", "next": 1},
///   {"fault": {"approve_differs": -100}, "reference": "0198c0ff-…"},
///   {"fault": "webhook_duplicate", "provider": "nexi", "probability": 0.2}
/// ], "seed": 7}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What happens to webhooks sent from now on.
    pub webhooks: WebhookFault,
    /// How the merchant's API answers; the customer's page always works.
    pub api: ApiFault,
    /// Every create at Vipps is answered 409, also after it created the payment.
    pub create_conflict: bool,
    /// Requests that wait until this is set to something else: `{"operation": "cancel", "before": "work"}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Faults with a scope. Of those of one kind, the first that applies counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Where the dice of `probability` begin.
    #[serde(skip_serializing_if = "is_zero")]
    pub seed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(seed: &u64) -> bool {
    *seed == 0
}

/// A fault, and what it applies to: everything, unless a field narrows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What goes wrong.
    pub fault: Fault,
    /// Only at this provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Only requests of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// Only the payment with this reference or payment id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Only this number of times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Only so often: 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

impl Rule {
    /// A rule without a scope.
    pub(super) fn always(fault: Fault) -> Self {
        Self {
            fault,
            provider: None,
            operation: None,
            reference: None,
            next: None,
            probability: None,
        }
    }
}

/// Whose protocol a payment follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Vipps MobilePay.
    Vipps,
    /// Nexi Checkout.
    Nexi,
}

/// Everything that can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The work is done at once and answered this many milliseconds later.
    SlowMs(u64),
    /// This status, and no work is done: 500, 502, 503.
    Fail(u16),
    /// 503, although the work was done.
    AnswerLost,
    /// The work is done, and no answer ever comes.
    AnswerNever,
    /// The connection is reset, before the work or before its answer.
    Reset(Point),
    /// 429 with `Retry-After` of this many seconds, and no work is done.
    TooManyRequests(u64),
    /// The provider refuses the request for good with this status: 400, 402, 409.
    Refuse(u16),
    /// A create at Vipps is answered 409, also after it created the payment.
    CreateConflict,
    /// A create is answered after its first webhook was delivered, or after three seconds.
    WebhookFirst,
    /// The customer approves, and the webhook is delivered, before the create is answered.
    ApproveFirst,

    /// The customer approves this much more than was asked for; with a minus, less. At least 1 øre.
    ApproveDiffers(i64),
    /// An approval becomes a decline.
    Decline,
    /// The customer leaves: an approval does nothing.
    Abandon,
    /// After an approval, a person in the provider's portal takes this percentage.
    PortalCapture(u8),
    /// After a capture, a person in the provider's portal gives this percentage of it back.
    PortalRefund(u8),
    /// A reservation made now runs out after this many milliseconds.
    ReservationEndsMs(u64),
    /// A refund at Nexi is pending for this many milliseconds.
    RefundTakesMs(u64),
    /// A refund at Nexi fails after this many milliseconds.
    RefundFailsMs(u64),

    /// Never sent, not even later.
    WebhookDrop,
    /// Sent twice.
    WebhookDuplicate,
    /// Sent this many milliseconds late.
    WebhookDelayMs(u64),
    /// Sent with a signature or an authorization that does not match, until this fault ends.
    WebhookSpoilt,
    /// Sent after the payment's next webhook, if there is one within a second.
    WebhookOutOfOrder,
    /// Before it comes a forged one: ten times the money, without our secret.
    WebhookForged,
    /// Claims this much more than is true, with a signature that matches.
    WebhookAmount(i64),
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
    /// As [`Fault::WebhookDrop`].
    Drop,
    /// As [`Fault::WebhookDuplicate`].
    Duplicate,
    /// As [`Fault::WebhookDelayMs`].
    DelayMs(u64),
    /// As [`Fault::WebhookSpoilt`].
    CorruptSignature,
}

/// How the API answers: `"ok"`, `"unavailable"`, `"answer_lost"` or `{"slow_ms": 2000}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiFault {
    /// Normally.
    #[default]
    Ok,
    /// As [`Fault::Fail`] with 503.
    Unavailable,
    /// As [`Fault::AnswerLost`].
    AnswerLost,
    /// As [`Fault::SlowMs`].
    SlowMs(u64),
}

impl Faults {
    /// All as rules.
    pub(super) fn as_rules(&self) -> Vec<Rule> {
        let webhooks = match self.webhooks {
            WebhookFault::Deliver => None,
            WebhookFault::Drop => Some(Fault::WebhookDrop),
            WebhookFault::Duplicate => Some(Fault::WebhookDuplicate),
            WebhookFault::DelayMs(ms) => Some(Fault::WebhookDelayMs(ms)),
            WebhookFault::CorruptSignature => Some(Fault::WebhookSpoilt),
        };
        let api = match self.api {
            ApiFault::Ok => None,
            ApiFault::Unavailable => Some(Fault::Fail(503)),
            ApiFault::AnswerLost => Some(Fault::AnswerLost),
            ApiFault::SlowMs(ms) => Some(Fault::SlowMs(ms)),
        };
        let conflict = self.create_conflict.then_some(Fault::CreateConflict);
        let short = [webhooks, api, conflict].into_iter().flatten().map(Rule::always);
        short.chain(self.rules.iter().cloned()).collect()
    }

    /// Why they make no sense, if they don't.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        self.rules.iter().find_map(|rule| {
            if rule.probability.is_some_and(|odds| !(0.0..=1.0).contains(&odds)) {
                return Some("a probability is not between 0 and 1");
            }
            match rule.fault {
                Fault::Fail(status) if !(500..=599).contains(&status) => {
                    Some("a failure's status is not 500 to 599")
                }
                Fault::Refuse(status) if !(400..=499).contains(&status) => {
                    Some("a refusal's status is not 400 to 499")
                }
                Fault::PortalCapture(percent) | Fault::PortalRefund(percent)
                    if !(1..=100).contains(&percent) =>
                {
                    Some("a percentage is not 1 to 100")
                }
                _ => None,
            }
        })
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
            words.as_rules(),
            [
                Rule::always(Fault::WebhookSpoilt),
                Rule::always(Fault::AnswerLost)
            ]
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

    #[test]
    fn rules_are_written_as_documented() {
        let all = r#"{"rules":[
            {"fault":"answer_never","operation":"capture","next":1},
            {"fault":{"approve_differs":-100},"reference":"0198c0ff"},
            {"fault":{"reset":"answer"}},
            {"fault":"webhook_duplicate","provider":"nexi","probability":0.2}],"seed":7}"#;
        let faults: Faults = serde_json::from_str(all).unwrap();
        assert_eq!(faults.rules[1].fault, Fault::ApproveDiffers(-100));
        assert_eq!(faults.rules[2].fault, Fault::Reset(Point::Answer));
        assert_eq!(faults.complaint(), None);
        for bad in [
            r#"{"rules":[{"fault":{"fail":200}}]}"#,
            r#"{"rules":[{"fault":{"refuse":503}}]}"#,
            r#"{"rules":[{"fault":{"portal_capture":0}}]}"#,
            r#"{"rules":[{"fault":"decline","probability":1.5}]}"#,
        ] {
            let faults: Faults = serde_json::from_str(bad).unwrap();
            assert!(faults.complaint().is_some(), "{bad}");
        }
        for bad in [
            r#"{"rules":[{"fault":"melt"}]}"#,
            r#"{"rules":[{"fault":"decline","refrence":"x"}]}"#,
        ] {
            assert!(serde_json::from_str::<Faults>(bad).is_err(), "{bad}");
        }
    }
}
