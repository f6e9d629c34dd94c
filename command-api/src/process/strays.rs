//! Payments that are not their order's payment.
//!
//! A provider whose `create` is not idempotent may hold several payments for one order: an answer was lost, or two instances
//! asked at once. The first one that is recorded is the order's payment, and its page is the only one that is shown. The
//! others are ended, and money that reached one of them goes back.

use domain::Order;
use payments::{Error, Payment, PaymentState};
use uuid::Uuid;

use super::context::Cashier;
use super::step::StepError;

impl Cashier {
    /// Ends a payment that was started for this order, unless it is the order's payment.
    pub(crate) async fn end_unless_recorded(
        &self,
        order_id: Uuid,
        payment_id: &str,
    ) -> Result<(), StepError> {
        let order = self.command_handler.load::<Order>(order_id).await?.aggregate;
        match order.placed() {
            Some(placed) if order.payment_id() != Some(payment_id) => {
                self.end_stray(&placed.payment_provider, order_id, payment_id)
                    .await
            }
            _ => Ok(()),
        }
    }

    /// Ends a payment of `order_id` at `provider` that is not the order's payment.
    pub(super) async fn end_stray(
        &self,
        provider: &str,
        order_id: Uuid,
        payment_id: &str,
    ) -> Result<(), StepError> {
        let provider = self.providers.get(provider)?;
        let mut payment = match provider.get(payment_id).await {
            Ok(payment) => payment,
            Err(Error::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if payment.reference != order_id.to_string() {
            tracing::warn!(%order_id, "a payment of another order is left as it is");
            return Ok(());
        }
        if payment.state == PaymentState::Created {
            payment = match provider.abort(payment_id, &key("abort", &payment)).await {
                Ok(payment) => payment,
                // The customer was faster.
                Err(Error::Refused { .. } | Error::NotFound) => provider.get(payment_id).await?,
                Err(error) => return Err(error.into()),
            };
        }
        if payment.kept_ore() > 0 {
            let once = key("refund", &payment);
            payment = provider.refund(&payment, payment.kept_ore(), &once).await?;
        }
        if payment.collectable_ore() > 0 {
            let once = key("release", &payment);
            payment = provider.release(payment_id, &once).await?;
        }
        let left = payment.kept_ore() + payment.collectable_ore();
        if left != 0 || payment.state == PaymentState::Created {
            return Err(StepError::Amount {
                expected_ore: 0,
                found_ore: left,
            });
        }
        tracing::info!(%order_id, "a payment that is not the order's was ended");
        Ok(())
    }
}

/// At most 50 characters: an id has 36, and sums stay below 10 digits.
fn key(what: &str, payment: &Payment) -> String {
    let (id, moved) = (payment.payment_id.replace('-', ""), payment.refunded_ore);
    let id: String = id.chars().take(32).collect();
    format!("{what}-{id}-{moved}")
}
