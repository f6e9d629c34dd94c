//! Money that staff gives back, whole or by line.

use envelope::Personal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// Staff decided that the money of these lines goes back.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LineRefundsRequested {
    /// The payment's reference.
    pub reference: String,
    /// The version of the policy that the amounts follow from.
    pub policy_version: String,
    /// Whether the person was allowed to decide against the policy, and did.
    pub overridden: bool,
    /// Why, in the words of the person who decided.
    pub reason: Personal<String>,
    /// Whether no line of the order is left: then the order ends. Status `refund_pending`.
    pub ends_order: bool,
    /// Each line, and how much of its price goes back.
    pub lines: Vec<LineRefund>,
}

/// How much of a line goes back.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LineRefund {
    /// The line, from 1.
    pub line: u16,
    /// How much, in øre.
    pub amount_ore: i64,
}

/// The money of some of the order's lines went back. The other lines do not change.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct LinesRefunded {
    /// The payment's reference.
    pub reference: String,
    /// The lines, each with the amount that was decided.
    pub lines: Vec<LineRefund>,
    /// How much of the payment was collected in all, in øre.
    pub captured_ore: i64,
    /// How much of that was paid back in all, in øre.
    pub refunded_ore: i64,
    /// How much of the reservation was given up in all, in øre.
    pub released_ore: i64,
}

/// The money does not go back, although the provider's books show that it could: the shop has stopped trying.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct RefundFailed {
    /// The payment's reference.
    pub reference: String,
    /// Why.
    pub reason: RefundFailure,
    /// How much still has to go back, in øre.
    pub left_ore: i64,
    /// How much of the payment was collected in all, in øre.
    pub captured_ore: i64,
    /// How much of that was paid back in all, in øre.
    pub refunded_ore: i64,
}

/// Why money does not go back.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RefundFailure {
    /// The provider refuses.
    Refused,
    /// The provider does not know the payment.
    PaymentUnknown,
    /// The provider's answers are not understood.
    NotUnderstood,
    /// The provider accepts, and its books do not change.
    NotDone,
}

/// Staff decided to try a refund again that had failed.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct RefundRetried {
    /// The payment's reference.
    pub reference: String,
    /// Why, in the words of the person who decided.
    pub reason: Personal<String>,
}
