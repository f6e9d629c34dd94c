//! Orders: from a cart to licenses, or to money going back.
//!
//! `placed → payment_pending → paid → fulfilled`, with `cancelled`, `expired` and `refund_pending → refunded`, and
//! `capture_failed` while it is undecided what becomes of licenses whose money can't be collected. Lines are refunded one by
//! one while the others stay.
//! A payment that the provider confirms leads to licenses or to a refund, in every state of the order.

mod claims;
mod collect;
mod command;
mod decide;
mod differences;
mod erase;
mod line;
mod paid;
mod place;
mod refunds;
mod state;

pub(crate) use claims::license_claims;
pub use claims::{CapClaim, ClaimChange, DayClaim, LineClaims};
pub use collect::{CapturePolicy, PaymentBooks, Resolution};
pub use command::OrderCommand;
pub use differences::{Difference, SeenPayment};
pub(crate) use line::LineRules;
pub use line::{AskedLine, OrderClub, RequestedLine};
pub use paid::PaidOrder;
pub use place::{MAX_LINES, PlaceOrder};
pub use refunds::{Overrider, RefundPolicy, RefundStep, RequestRefund};
pub use state::Order;

#[cfg(test)]
pub(crate) mod tests;
