//! Which provider an order is paid through, for the planner: only the event that begins an order says it.

use std::collections::{HashMap, VecDeque};

use domain::Order;
use event_store::{CommandHandler, Error, NewTask};
use futures_util::future::try_join_all;
use uuid::Uuid;
use vocabulary::PaymentProvider;

use super::kinds::{self, AT_PROVIDER};

/// How many orders are remembered: those of the last minutes, also on the busiest day. Any other order is loaded.
const MOST: usize = 65_536;

/// The providers of the orders that were read last.
#[derive(Default)]
pub(super) struct PlacedWith {
    of: HashMap<Uuid, PaymentProvider>,
    oldest_first: VecDeque<Uuid>,
}

impl PlacedWith {
    /// Remembers an order. The name of a provider that this build does not know is not remembered.
    pub(super) fn note(&mut self, order_id: Uuid, provider: &str) {
        let Ok(provider) = provider.parse() else { return };
        if self.of.insert(order_id, provider).is_none() {
            self.oldest_first.push_back(order_id);
        }
        if self.oldest_first.len() > MOST
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.of.remove(&oldest);
        }
    }

    /// Gives each task that asks a provider the kind of its order's provider.
    pub(super) async fn assign(
        &self,
        command_handler: &CommandHandler,
        tasks: &mut [NewTask],
    ) -> Result<(), Error> {
        let assigned = tasks.iter_mut().map(async |task| {
            let Some(kind) = AT_PROVIDER.into_iter().find(|kind| *kind == task.kind) else {
                return Ok(());
            };
            let known = self.of.get(&task.aggregate_id).copied();
            let provider = match known {
                Some(provider) => Some(provider),
                None => load(command_handler, task.aggregate_id).await?,
            };
            // A task without a provider fails visibly in the lane of the first one.
            task.kind = kinds::at(kind, provider.unwrap_or(PaymentProvider::Vipps));
            Ok::<_, Error>(())
        });
        try_join_all(assigned).await?;
        Ok(())
    }
}

/// The provider by the log; none for an order that this build can't read.
async fn load(command_handler: &CommandHandler, order_id: Uuid) -> Result<Option<PaymentProvider>, Error> {
    match command_handler.load::<Order>(order_id).await {
        Ok(order) => Ok(order
            .aggregate
            .placed()
            .and_then(|placed| placed.payment_provider.parse().ok())),
        Err(Error::Decode(error)) => {
            tracing::error!(%order_id, error = %error, "an order can't be read");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vocabulary::PaymentProvider;

    use super::{MOST, PlacedWith};

    #[test]
    fn it_remembers_the_newest_orders_and_no_more() {
        let mut placed_with = PlacedWith::default();
        let ids = (0..=MOST as u128).map(Uuid::from_u128);
        for id in ids.clone() {
            placed_with.note(id, "nexi");
            placed_with.note(id, "nexi");
        }
        placed_with.note(Uuid::from_u128(u128::MAX), "unheard-of");
        assert_eq!(placed_with.of.len(), MOST);
        assert_eq!(placed_with.oldest_first.len(), MOST);
        assert!(!placed_with.of.contains_key(&Uuid::nil()));
        assert_eq!(
            placed_with.of.get(&Uuid::from_u128(MOST as u128)),
            Some(&PaymentProvider::Nexi)
        );
    }
}
