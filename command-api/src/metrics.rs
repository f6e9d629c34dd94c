//! The metrics of the write side, besides those of the log, the bus, the payments and the service.

use events::{CaptureFailure, RefundFailure};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use strum::VariantArray as _;
use vocabulary::{LetterKind, LicenseStatus, PaymentProvider, ReceiptKind, ScanOutcome, Word as _};

use crate::process::kinds::KINDS;

/// 1 while this instance leads the relay and the planner.
pub const RELAY_LEADER: &str = "bilsport_relay_leader";
/// Positions that the stream is behind the log.
pub const RELAY_LAG_POSITIONS: &str = "bilsport_relay_lag_positions";
/// Seconds that the oldest event not yet in the stream has waited.
pub const RELAY_LAG_SECONDS: &str = "bilsport_relay_lag_seconds";
/// Times the relay had to ask the stream again where it stands.
pub const RELAY_RESUMES_TOTAL: &str = "bilsport_relay_resumes_total";
/// Times the relay was interrupted, by `reason`: `log`, `stream` (it could not be had), or why publishing stopped, as
/// in [`event_bus::PublishError::kind`].
pub const RELAY_INTERRUPTIONS_TOTAL: &str = "bilsport_relay_interruptions_total";
/// Webhooks by `provider` and `outcome`, `applied`, `replayed`, `foreign`, `stray` (not its order's payment,
/// which was ended), `early` (its payment is not recorded yet), `malformed`, `refused` or `failed`.
pub const WEBHOOKS_TOTAL: &str = "bilsport_payments_webhooks_total";
/// What becomes of a webhook.
pub(crate) const WEBHOOK_OUTCOMES: [&str; 8] = [
    "applied",
    "replayed",
    "foreign",
    "stray",
    "early",
    "malformed",
    "refused",
    "failed",
];
/// Orders whose licenses were issued and whose money can't be collected, by `reason`.
pub const CAPTURE_FAILURES_TOTAL: &str = "bilsport_payments_capture_failures_total";
/// Refunds that the shop has stopped trying, by `reason`.
pub const REFUND_FAILURES_TOTAL: &str = "bilsport_payments_refund_failures_total";
/// Orders that differ from their payments at the provider, and that the shop could not heal.
pub const UNMATCHED_PAYMENTS: &str = "bilsport_payments_unmatched";
/// Orders that were compared with their payments, by `outcome`: agrees, healed, differs, unanswered.
pub const RECONCILED_TOTAL: &str = "bilsport_payments_reconciled_total";
/// Seconds that the next slice of the scheduled comparison has been due.
pub const RECONCILE_OVERDUE_SECONDS: &str = "bilsport_payments_reconcile_overdue_seconds";
/// Scans at gates by `outcome` and the license's status: `none` for an unknown license.
pub const GATE_SCANS_TOTAL: &str = "bilsport_gate_scans_total";
/// Scans whose device's time can't be right.
pub const GATE_SUSPECT_TIMES_TOTAL: &str = "bilsport_gate_suspect_times_total";
/// Paid orders that were paid back because a holder or a vehicle was suspended before the licenses were issued.
pub const SUSPENDED_ORDERS_TOTAL: &str = "bilsport_process_suspended_orders_total";
/// 1 while the log does not hold the event that the process managers have read last, and nothing is planned.
pub const PROCESS_CONTRADICTED: &str = "bilsport_process_contradicted";
/// Tasks not done yet, by `kind`.
pub const PROCESS_TASKS: &str = "bilsport_process_tasks";
/// Seconds that the oldest due task has waited, by `kind`.
pub const PROCESS_OVERDUE_SECONDS: &str = "bilsport_process_overdue_seconds";
/// Seconds that one attempt at a task took, by `kind` and `outcome`: done, later, failed.
pub const PROCESS_TASK_SECONDS: &str = "bilsport_process_task_seconds";

/// Receipts and credit notes issued, by `kind`.
pub const RECEIPTS_TOTAL: &str = "bilsport_receipts_issued_total";
/// Position in the log up to which receipts are issued.
pub const RECEIPTS_POSITION: &str = "bilsport_receipts_position";

/// Counter, by `kind` and `outcome`: items of batches that are done or have failed.
pub const BATCH_ITEMS_TOTAL: &str = "bilsport_batch_items_total";
/// Letters by `kind` and `outcome`, each attempt: `sent`, `refused`, `undeliverable`, `put_off`, `nothing_to_send`, `too_old`,
/// `not_configured`.
pub const LETTERS_TOTAL: &str = "bilsport_letters_attempts_total";
/// What becomes of an attempt at a letter.
pub(crate) const LETTER_OUTCOMES: [&str; 7] = [
    "sent",
    "refused",
    "undeliverable",
    "put_off",
    "nothing_to_send",
    "too_old",
    "not_configured",
];
/// Seconds since the event of the letter that has waited longest; 0 if none waits.
pub const LETTERS_OLDEST_WAITING_SECONDS: &str = "bilsport_letters_oldest_waiting_seconds";

/// Erasures that were carried out.
pub const ERASURES_TOTAL: &str = "bilsport_personal_erasures_total";
/// Keys of personal data that were destroyed.
pub const KEYS_DESTROYED_TOTAL: &str = "bilsport_personal_keys_destroyed_total";

/// Describes them to the recorder in use.
pub fn describe() {
    describe_gauge!(
        RELAY_LEADER,
        "1 while this instance leads the relay and the planner."
    );
    describe_gauge!(
        RELAY_LAG_POSITIONS,
        "Positions that the stream is behind the log."
    );
    describe_gauge!(
        RELAY_LAG_SECONDS,
        Unit::Seconds,
        "Age of the oldest event not yet in the stream."
    );
    describe_counter!(
        RELAY_RESUMES_TOTAL,
        "Times the relay asked the stream again where it stands."
    );
    describe_counter!(
        RELAY_INTERRUPTIONS_TOTAL,
        "Times the relay was interrupted, by reason."
    );
    describe_counter!(WEBHOOKS_TOTAL, "Webhooks by provider and outcome.");
    describe_counter!(
        CAPTURE_FAILURES_TOTAL,
        "Orders whose licenses were issued and whose money can't be collected, by reason."
    );
    describe_counter!(
        REFUND_FAILURES_TOTAL,
        "Refunds that the shop has stopped trying, by reason."
    );
    describe_counter!(
        GATE_SCANS_TOTAL,
        "Scans at gates by outcome and the license's status."
    );
    describe_counter!(
        GATE_SUSPECT_TIMES_TOTAL,
        "Scans whose device's time can't be right."
    );
    describe_counter!(
        SUSPENDED_ORDERS_TOTAL,
        "Paid orders paid back because a holder or a vehicle was suspended before the licenses were issued."
    );
    describe_gauge!(
        PROCESS_CONTRADICTED,
        "1 while the log does not hold the event that was planned for last."
    );
    describe_gauge!(
        PROCESS_TASKS,
        "Tasks of the process managers not done yet, by kind."
    );
    describe_gauge!(
        PROCESS_OVERDUE_SECONDS,
        Unit::Seconds,
        "How long the oldest due task has waited, by kind."
    );
    describe_histogram!(
        PROCESS_TASK_SECONDS,
        Unit::Seconds,
        "Duration of one attempt at a task."
    );
    describe_gauge!(
        UNMATCHED_PAYMENTS,
        "Orders that differ from their payments at the provider."
    );
    describe_counter!(
        RECONCILED_TOTAL,
        "Orders that were compared with their payments, by outcome."
    );
    describe_gauge!(
        RECONCILE_OVERDUE_SECONDS,
        Unit::Seconds,
        "How long the next slice of the scheduled comparison has been due."
    );
    describe_records();
    begin_at_zero();
}

/// What is written down of money and people.
fn describe_records() {
    describe_counter!(RECEIPTS_TOTAL, "Receipts and credit notes issued, by kind.");
    describe_gauge!(
        RECEIPTS_POSITION,
        "Position in the log up to which receipts are issued."
    );
    describe_counter!(BATCH_ITEMS_TOTAL, "Items of batches, by kind and outcome.");
    describe_counter!(LETTERS_TOTAL, "Letters by kind and outcome, each attempt.");
    describe_gauge!(
        LETTERS_OLDEST_WAITING_SECONDS,
        Unit::Seconds,
        "Age of the event of the letter that has waited longest."
    );
    describe_counter!(ERASURES_TOTAL, "Erasures that were carried out.");
    describe_counter!(KEYS_DESTROYED_TOTAL, "Keys of personal data that were destroyed.");
}

/// A rate over a counter that begins with its first failure does not see that failure.
fn begin_at_zero() {
    for outcome in ["agrees", "healed", "differs", "unanswered"] {
        counter!(RECONCILED_TOTAL, "outcome" => outcome).increment(0);
    }
    metrics::gauge!(UNMATCHED_PAYMENTS).set(0.0);
    metrics::gauge!(RECONCILE_OVERDUE_SECONDS).set(0.0);
    counter!(RELAY_RESUMES_TOTAL).increment(0);
    counter!(ERASURES_TOTAL).increment(0);
    counter!(KEYS_DESTROYED_TOTAL).increment(0);
    let before_publishing = ["log", "stream", "restored"];
    for reason in before_publishing
        .iter()
        .chain(event_bus::metrics::PUBLISH_ERROR_KINDS)
    {
        counter!(RELAY_INTERRUPTIONS_TOTAL, "reason" => *reason).increment(0);
    }
    for kind in ReceiptKind::texts() {
        counter!(RECEIPTS_TOTAL, "kind" => kind).increment(0);
    }
    for kind in LetterKind::texts() {
        for outcome in LETTER_OUTCOMES {
            counter!(LETTERS_TOTAL, "kind" => kind, "outcome" => outcome).increment(0);
        }
    }
    metrics::gauge!(LETTERS_OLDEST_WAITING_SECONDS).set(0.0);
    for provider in PaymentProvider::VARIANTS {
        for outcome in WEBHOOK_OUTCOMES {
            counter!(WEBHOOKS_TOTAL, "provider" => provider.as_str(), "outcome" => outcome).increment(0);
        }
    }
    for reason in CaptureFailure::VARIANTS {
        counter!(CAPTURE_FAILURES_TOTAL, "reason" => reason.as_str()).increment(0);
    }
    for reason in RefundFailure::VARIANTS {
        counter!(REFUND_FAILURES_TOTAL, "reason" => reason.as_str()).increment(0);
    }
    for (outcome, status) in [
        (ScanOutcome::First, LicenseStatus::CheckedIn.as_str()),
        (ScanOutcome::Duplicate, LicenseStatus::CheckedIn.as_str()),
        (ScanOutcome::AfterRevocation, LicenseStatus::Revoked.as_str()),
        (ScanOutcome::First, LicenseStatus::Suspended.as_str()),
        (ScanOutcome::UnknownLicense, "none"),
    ] {
        counter!(GATE_SCANS_TOTAL, "outcome" => outcome.as_str(), "license_status" => status).increment(0);
    }
    counter!(GATE_SUSPECT_TIMES_TOTAL).increment(0);
    counter!(SUSPENDED_ORDERS_TOTAL).increment(0);
    for kind in KINDS {
        metrics::gauge!(PROCESS_TASKS, "kind" => kind).set(0.0);
        metrics::gauge!(PROCESS_OVERDUE_SECONDS, "kind" => kind).set(0.0);
    }
}
