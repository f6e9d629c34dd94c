//! Taking money: one port, its adapters, and an emulator to run them against.
//!
//! - [`PaymentProvider`] is what the shop needs of a payment provider, in the shop's own words. Every operation may
//!   be repeated safely: a create is idempotent by its reference, a change by its idempotency key.
//! - [`vipps`] speaks the Vipps MobilePay ePayment protocol and verifies its webhooks.
//! - [`emulator`] is the other end of that protocol, as the binary `payment-emulator`. Development and tests need no
//!   network, and the emulator can inject faults.
//!
//! Invariants: an amount in a webhook is never trusted, the payment is read again from the provider; no secret and
//! no personal data is logged; no call waits longer than its deadline and no answer is read past its cap.

mod port;

pub mod emulator;
pub mod metrics;
pub mod vipps;

pub use port::{CreatedPayment, Error, NewPayment, Payment, PaymentProvider, PaymentState};
