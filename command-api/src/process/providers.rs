//! The payment providers of this shop, by name.

use std::sync::Arc;

use domain::Order;
use payments::PaymentProvider as Port;
use vocabulary::{PaymentProvider, Word as _};

use super::step::StepError;

/// The providers that this process has credentials for. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Providers {
    configured: Arc<[(PaymentProvider, Arc<dyn Port>)]>,
    offered: Arc<[PaymentProvider]>,
}

impl Providers {
    /// `offered` are those that new orders may be paid with. Orders that were placed with another one of `configured` are
    /// still captured and refunded.
    pub(crate) fn new(
        configured: Vec<(PaymentProvider, Arc<dyn Port>)>,
        offered: Vec<PaymentProvider>,
    ) -> Self {
        Self {
            configured: configured.into(),
            offered: offered.into(),
        }
    }

    /// The provider of this name, if new orders may be paid with it.
    pub(crate) fn offered(&self, name: &str) -> Option<PaymentProvider> {
        let asked: PaymentProvider = name.parse().ok()?;
        self.offered.contains(&asked).then_some(asked)
    }

    /// Every provider with credentials.
    pub(crate) fn configured(&self) -> impl Iterator<Item = PaymentProvider> {
        self.configured.iter().map(|(provider, _)| *provider)
    }

    /// The provider of this name; an error without credentials for it.
    pub(crate) fn get(&self, name: &str) -> Result<&dyn Port, StepError> {
        self.configured
            .iter()
            .find(|(provider, _)| provider.as_str() == name)
            .map(|(_, port)| port.as_ref())
            .ok_or_else(|| StepError::NotConfigured(name.to_owned()))
    }

    /// The provider of the order's payment and the payment's id there; none before the payment is recorded.
    pub(crate) fn payment_of<'a>(
        &'a self,
        order: &'a Order,
    ) -> Result<Option<(&'a dyn Port, &'a str)>, StepError> {
        let Some((placed, payment_id)) = order.placed().zip(order.payment_id()) else {
            return Ok(None);
        };
        Ok(Some((self.get(&placed.payment_provider)?, payment_id)))
    }
}
