//! One item: the same command that its route gives, under a key of the batch.

use axum::http::StatusCode;
use domain::{Club, ClubCommand, LicenseType, NewSuspension, ScanReport};
use envelope::Metadata;
use event_store::{CommandError, CommandHandler, CommandRequest, CommandResponse, IdempotencyKey};
use events::{ItemField, ItemOutcome, ItemResult};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use service::problem::Problem;
use uuid::Uuid;
use vocabulary::{BatchKind, ClubStatus};

use super::item::{Item, missing};
use super::problems::NotNow;
use crate::answer::problem;
use crate::club_names;
use crate::command::now;
use crate::router::{check_in_license, correct_license, impose_suspension, revoke_license};
use crate::shop::ShopSettings;

/// Longest texts of a result: codes and pointers of ours are shorter, and a name in an unknown field is cut.
const MAX_TEXT: usize = 100;
/// Most fields of a result.
const MAX_FIELDS: usize = 8;
/// Attempts after which an item that breaks something counts as failed, so that it does not hold up the others for ever.
const PATIENCE: u32 = 10;

/// What does the items of one batch.
pub(crate) struct Desk<'a> {
    /// Records, or only rehearses.
    pub(crate) command_handler: &'a CommandHandler,
    pub(crate) shop: &'a ShopSettings,
    pub(crate) batch_id: Uuid,
    pub(crate) kind: BatchKind,
    /// Who submitted the batch, and by which request.
    pub(crate) metadata: &'a Metadata,
    /// How often the batch was tried since its last progress.
    pub(crate) attempts: u32,
    /// Who submitted it, if that was a user.
    pub(crate) user_id: Uuid,
}

/// The items of one command: several for prices, else one.
pub(crate) struct ItemCommand {
    pub(super) first: Item,
    more: Vec<Item>,
}

impl ItemCommand {
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

pub(super) type Done = Result<CommandResponse, Problem>;

impl Desk<'_> {
    /// The commands of the items of one subject, in their order. Prices of one type are one command: each commit would
    /// carry only one of them otherwise.
    pub(crate) fn commands(&self, items: Vec<Item>) -> Vec<ItemCommand> {
        let mut items = items.into_iter();
        let mut commands = Vec::new();
        while let Some(first) = items.next() {
            let more = if self.kind == BatchKind::SetPrice {
                items.by_ref().collect()
            } else {
                Vec::new()
            };
            commands.push(ItemCommand { first, more });
        }
        commands
    }

    /// The key that this command is done under.
    pub(crate) fn key(&self, command: &ItemCommand) -> IdempotencyKey {
        match self.kind {
            BatchKind::SetPrice => self.key_of_prices(command),
            BatchKind::CheckIn => match command.first.license::<ScanReport>() {
                // The same scan may have come by its own route.
                Ok((license_id, report)) => check_in_license::key(license_id, &report),
                Err(_) => self.key_of(&command.first),
            },
            _ => self.key_of(&command.first),
        }
    }

    /// The key of an item that is a command by itself.
    pub(super) fn key_of(&self, item: &Item) -> IdempotencyKey {
        IdempotencyKey::new(
            "batch:item",
            format!("{}:{}", self.batch_id, item.number),
            item.text.get(),
        )
    }

    /// Does the commands of one subject, in their order.
    pub(crate) async fn in_turn(&self, commands: Vec<ItemCommand>) -> Result<Vec<(u32, ItemResult)>, NotNow> {
        let mut results = Vec::with_capacity(commands.len());
        for command in commands {
            match self.done(&command).await {
                Ok(response) => results.extend(self.succeeded(&command, &response.body)),
                Err(refused) => {
                    for item in command.items() {
                        results.push((item.number, self.refused(item, &refused)?));
                    }
                }
            }
        }
        Ok(results)
    }

    async fn done(&self, command: &ItemCommand) -> Done {
        let item = &command.first;
        let key = || (self.key_of(item), self.metadata.clone());
        let shop = self.shop;
        match self.kind {
            BatchKind::SetPrice => self.set_prices(command).await,
            BatchKind::UpsertClub => self.upsert_club(item).await,
            BatchKind::RevokeLicense => {
                let (license_id, asked) = item.license()?;
                let policy = &shop.refund_policy;
                revoke_license::decide(self.command_handler, policy, license_id, asked, key(), None)
                    .await
                    .map_err(problem)
            }
            BatchKind::CorrectLicense => {
                let (license_id, asked) = item.license()?;
                let holder_key = &shop.holder_key;
                correct_license::decide(self.command_handler, holder_key, license_id, asked, key(), None)
                    .await
            }
            BatchKind::Suspend => {
                let new: NewSuspension = item.whole()?;
                let suspension_id = self.id_of(item);
                impose_suspension::decide(self.command_handler, &shop.holder_key, suspension_id, new, key())
                    .await
                    .map_err(problem)
            }
            BatchKind::CheckIn => {
                let (license_id, report) = item.license()?;
                let metadata = self.metadata.clone();
                check_in_license::decide(self.command_handler, license_id, report, metadata, now()).await
            }
            BatchKind::ComplimentaryLicense => self.grant(item).await,
        }
    }

    /// A club by its id, or by its name in any spelling: a name that no club has registers one.
    async fn upsert_club(&self, item: &Item) -> Done {
        let UpsertClub {
            club_id,
            name,
            status,
        } = item.whole()?;
        let Some(club_id) = club_id else {
            let name = name.ok_or_else(|| missing("name"))?;
            return self.club_of_name(item, name, status).await;
        };
        let command = ClubCommand::Change { name, status };
        self.change_club(club_id, command, item).await
    }

    async fn club_of_name(&self, item: &Item, name: String, status: Option<ClubStatus>) -> Done {
        let club_id = self.id_of(item);
        let registered = self
            .command_handler
            .together(self.key_of(item), self.metadata.clone(), |unit| {
                let (name, status) = (name.clone(), status);
                async move {
                    let mut club = unit.create::<Club>(club_id);
                    unit.handle(&mut club, ClubCommand::Register { name }).await?;
                    if status.is_some() {
                        let command = ClubCommand::Change { name: None, status };
                        unit.handle(&mut club, command).await?;
                    }
                    Ok(club_answer(club_id, &club.aggregate, club.version))
                }
            })
            .await;
        let owner = match registered {
            Err(CommandError::ClaimTaken(taken)) => {
                taken.iter().find_map(|claim| claim.owners.first().copied())
            }
            registered => return registered.map_err(problem),
        };
        let Some(owner) = owner else {
            return Err(club_names::exists());
        };
        let command = ClubCommand::Change {
            name: Some(name),
            status,
        };
        self.change_club(owner, command, item).await
    }

    async fn change_club(&self, club_id: Uuid, command: ClubCommand, item: &Item) -> Done {
        let request = self.request(club_id, command, item);
        let answer = move |club: &Club, version| club_answer(club_id, club, version);
        let changed = self.command_handler.execute::<Club>(request, answer).await;
        changed.map_err(|error| match error {
            CommandError::ClaimTaken(_) => club_names::exists(),
            other => problem(other),
        })
    }

    fn request<C>(&self, aggregate_id: Uuid, command: C, item: &Item) -> CommandRequest<C> {
        CommandRequest {
            aggregate_id,
            command,
            key: self.key_of(item),
            metadata: self.metadata.clone(),
            expected_version: None,
            creates: false,
        }
    }

    /// The id of what an item creates: doing it again creates the same.
    pub(super) fn id_of(&self, item: &Item) -> Uuid {
        Uuid::new_v5(&self.batch_id, &item.number.to_be_bytes())
    }

    /// What a refusal makes of an item, unless it should be tried again.
    pub(super) fn refused(&self, item: &Item, refused: &Problem) -> Result<ItemResult, NotNow> {
        let passing = refused.status() == StatusCode::SERVICE_UNAVAILABLE
            || ["conflict", "request_in_flight"].contains(&refused.code());
        let broken = refused.status().is_server_error() && self.attempts < PATIENCE;
        if passing || broken {
            return Err(NotNow {
                number: item.number,
                code: refused.code().to_owned(),
            });
        }
        let fields = refused.fields().take(MAX_FIELDS);
        let fields = fields.map(|(pointer, code)| ItemField {
            pointer: named(pointer),
            code: cut(code),
        });
        Ok(ItemResult {
            outcome: ItemOutcome::Failed,
            target: self.target(item, "{}"),
            code: Some(cut(refused.code())),
            fields: fields.collect(),
        })
    }

    /// What the answer of a command that was done, now or before, says of its items.
    pub(crate) fn succeeded(&self, command: &ItemCommand, response: &str) -> Vec<(u32, ItemResult)> {
        let mut refused = Self::refused_prices(response);
        let result = |item: &Item| {
            let succeeded = || ItemResult {
                outcome: ItemOutcome::Succeeded,
                target: self.target(item, response),
                code: self.label(response),
                fields: Vec::new(),
            };
            (
                item.number,
                refused.remove(&item.number).unwrap_or_else(succeeded),
            )
        };
        command.items().map(result).collect()
    }

    /// A scan is never refused, only labelled: how, unless it is the first of its license.
    fn label(&self, response: &str) -> Option<String> {
        if self.kind != BatchKind::CheckIn {
            return None;
        }
        let answered: Map<String, Value> = serde_json::from_str(response).ok()?;
        let outcome = answered.get("outcome").and_then(Value::as_str);
        outcome.filter(|outcome| *outcome != "first").map(cut)
    }

    /// What an item is about, by its answer or by itself. Never a text that may name a person.
    fn target(&self, item: &Item, response: &str) -> Option<String> {
        let name = match self.kind {
            BatchKind::SetPrice => "code",
            BatchKind::UpsertClub => "club_id",
            BatchKind::Suspend => "suspension_id",
            BatchKind::RevokeLicense
            | BatchKind::CorrectLicense
            | BatchKind::CheckIn
            | BatchKind::ComplimentaryLicense => "license_id",
        };
        let answered: Map<String, Value> = serde_json::from_str(response).unwrap_or_default();
        let answered = answered.get(name).and_then(Value::as_str).map(str::to_owned);
        let target = answered.or_else(|| item.text(name))?;
        let fits = if self.kind == BatchKind::SetPrice {
            LicenseType::is_code(&target)
        } else {
            target.parse::<Uuid>().is_ok()
        };
        fits.then_some(target)
    }
}

/// A club to register or to change.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpsertClub {
    club_id: Option<Uuid>,
    name: Option<String>,
    status: Option<ClubStatus>,
}

fn club_answer(club_id: Uuid, club: &Club, version: u64) -> Value {
    json!({"club_id": club_id, "status": club.status(), "version": version})
}

/// A pointer to a field of ours. Another name is a text of the sender, and may name a person.
fn named(pointer: &str) -> String {
    let ours = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_/".contains(&byte);
    if pointer.bytes().all(ours) {
        cut(pointer)
    } else {
        String::new()
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use events::{ItemField, ItemOutcome, ItemResult};

    use super::{MAX_FIELDS, MAX_TEXT, named};
    use crate::batches::CHUNK_ITEMS;

    #[test]
    fn pointers_name_fields_of_ours_only() {
        assert_eq!(named("/holder/birth_date"), "/holder/birth_date");
        assert_eq!(named("/lines/0/holder"), "/lines/0/holder");
        for text in ["/Kari Nordmann", "/kåre", "/a~1b"] {
            assert_eq!(named(text), "");
        }
    }

    #[test]
    fn the_results_of_a_chunk_fit_into_an_event_whatever_they_say() {
        let text = "x".repeat(MAX_TEXT);
        let field = ItemField {
            pointer: text.clone(),
            code: text.clone(),
        };
        let result = ItemResult {
            outcome: ItemOutcome::Succeeded,
            target: Some(uuid::Uuid::nil().to_string()),
            code: Some(text),
            fields: vec![field; MAX_FIELDS],
        };
        let done = events::BatchItemsDone {
            first: 10_000,
            results: vec![result; CHUNK_ITEMS],
        };
        let bytes = serde_json::to_vec(&done).unwrap().len();
        assert!(
            bytes < event_store::AppenderOptions::default().max_payload_bytes,
            "{bytes}"
        );
    }
}
