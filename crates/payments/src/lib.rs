//! Taking money: one port, its adapters, and an emulator to run them against.
//!
//! - [`PaymentProvider`] is what the shop needs of a payment provider, in the shop's own words. A change may be repeated
//!   safely under its idempotency key.
//! - [`vipps`] speaks the Vipps MobilePay ePayment protocol and verifies its webhooks.
//! - [`nexi`] speaks the Nexi Checkout protocol and verifies its webhooks.
//! - [`emulator`] is the other end of both protocols, as the binary `payment-emulator`. Development and tests need no
//!   network, and the emulator can inject faults.
//!
//! Invariants: an amount in a webhook is never trusted, the payment is read again from the provider; no secret and
//! no personal data is logged; no call waits longer than its deadline and no answer is read past its cap.

mod checks;
mod client;
mod port;

pub mod emulator;
pub mod metrics;
pub mod nexi;
pub mod vipps;

pub use checks::{MAX_IDEMPOTENCY_KEY, is_idempotency_key, is_reference};
pub use client::Limits;
pub use port::{CreatedPayment, Error, NewPayment, Payment, PaymentProvider, PaymentState};
