//! The prices of one license type: one command, in which each is judged by itself.

use std::collections::BTreeMap;

use domain::{LicenseType, LicenseTypeCommand, Refusal, license_type_id};
use event_store::{AppendError, CommandError, IdempotencyKey, Member, Unit};
use events::ItemResult;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service::problem::Problem;

use super::item::Item;
use super::items::{Desk, Done, ItemCommand};
use crate::answer::problem;
use crate::command::now;
use crate::router::set_price::SetPrice;

/// The answer of the command. Items that it does not name succeeded.
#[derive(Default, Serialize, Deserialize)]
struct PricesSet {
    #[serde(default)]
    refused: BTreeMap<u32, ItemResult>,
}

impl Desk<'_> {
    pub(super) fn key_of_prices(&self, command: &ItemCommand) -> IdempotencyKey {
        let texts: Vec<&str> = command.items().map(|item| item.text.get()).collect();
        let key = format!("{}:{}", self.batch_id, command.first.number);
        IdempotencyKey::new("batch:prices", key, texts.join("\n"))
    }

    pub(super) async fn set_prices(&self, command: &ItemCommand) -> Done {
        let Some(code) = command.first.text("code") else {
            let malformed = command.first.split::<SetPrice>("code").err();
            return Err(malformed.unwrap_or_else(Problem::not_found));
        };
        if !LicenseType::is_code(&code) {
            return Err(Problem::not_found());
        }
        let license_type_id = license_type_id(&code);
        let set =
            self.command_handler
                .together(self.key_of_prices(command), self.metadata.clone(), async |unit| {
                    let mut license_type = unit.load::<LicenseType>(license_type_id).await?;
                    let mut set = PricesSet::default();
                    for item in command.items() {
                        if let Err(refused) = set_price(&unit, &mut license_type, item).await? {
                            let not_now =
                                |_| CommandError::Append(AppendError::Unavailable("an item broke".into()));
                            set.refused
                                .insert(item.number, self.refused(item, &refused).map_err(not_now)?);
                        }
                    }
                    Ok(json!(set))
                });
        set.await.map_err(problem)
    }

    /// The items that the answer of their command names as refused: none, if it is not one of prices.
    pub(super) fn refused_prices(response: &str) -> BTreeMap<u32, ItemResult> {
        serde_json::from_str(response).map_or_else(|_| BTreeMap::new(), |set: PricesSet| set.refused)
    }
}

/// Sets the price of one item, or says why it is refused.
async fn set_price(
    unit: &Unit,
    license_type: &mut Member<LicenseType>,
    item: &Item,
) -> Result<Result<(), Problem>, CommandError<Refusal>> {
    let asked = match item.split::<SetPrice>("code") {
        Ok((_, asked)) => asked,
        Err(malformed) => return Ok(Err(malformed)),
    };
    let command = LicenseTypeCommand::SetPrice {
        price_ore: asked.price_ore,
        valid_from: asked.valid_from,
        now: now(),
    };
    match unit.handle(license_type, command).await {
        Ok(()) => Ok(Ok(())),
        Err(refusal @ CommandError::Refused(_)) => Ok(Err(problem(refusal))),
        Err(error) => Err(error),
    }
}
