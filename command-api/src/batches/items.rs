//! One item: the same command that its route gives, under a key of the batch.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use domain::{
    AskedLine, Club, ClubCommand, GrantLicense, License, LicenseCommand, LicenseType, LicenseTypeCommand,
    NewSuspension, RequestedHolder, RequestedVehicle, ScanReport, license_type_id,
};
use envelope::Metadata;
use event_store::{CommandError, CommandHandler, CommandRequest, CommandResponse, IdempotencyKey, Loaded};
use events::{ItemField, ItemOutcome, ItemResult};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use service::extract::Json;
use service::problem::Problem;
use uuid::Uuid;
use vocabulary::{BatchKind, ClubStatus};

use crate::answer::problem;
use crate::command::{now, stored};
use crate::router::set_price::SetPrice;
use crate::router::{check_in_license, correct_license, impose_suspension, revoke_license};
use crate::state::ShopSettings;
use crate::{catalogue, club_names, rule_seven, rule_six};

/// Longest texts of a result: codes and pointers of ours are shorter, and a name in an unknown field is cut.
const MAX_TEXT: usize = 200;
/// Most fields of a result.
const MAX_FIELDS: usize = 20;
/// How often a license is given anew, when suspensions are imposed meanwhile.
const LOOKS: usize = 5;

/// What does the items of one batch.
pub(crate) struct Desk<'a> {
    /// Records, or only rehearses.
    pub(crate) command_handler: &'a CommandHandler,
    pub(crate) shop: &'a ShopSettings,
    pub(crate) batch_id: Uuid,
    pub(crate) kind: BatchKind,
    /// Who submitted the batch, and by which request.
    pub(crate) metadata: &'a Metadata,
    /// Who submitted it, if that was a user.
    pub(crate) user_id: Uuid,
}

/// An item with its number, from 1.
pub(crate) struct Item {
    pub(crate) number: u32,
    text: Box<RawValue>,
    members: Result<Members, Problem>,
}

/// The members of an item, as they are written.
struct Members(BTreeMap<String, Box<RawValue>>);

/// Why an item has no result yet: it is done later.
#[derive(Debug, thiserror::Error)]
#[error("item {number}: {code}")]
pub(crate) struct NotNow {
    number: u32,
    code: String,
}

type Done = Result<CommandResponse, Problem>;

impl Item {
    pub(crate) fn new(number: u32, text: Box<RawValue>) -> Self {
        let members = Members::of(&text);
        Self {
            number,
            text,
            members,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        let raw = self.members.as_ref().ok()?.0.get(name)?;
        serde_json::from_str(raw.get()).ok()
    }

    /// Items of the same subject are done one after the other, others side by side.
    pub(crate) fn subject(&self, kind: BatchKind) -> String {
        let subject = match kind {
            BatchKind::SetPrice => self.text("code"),
            BatchKind::UpsertClub => self
                .text("club_id")
                .or_else(|| self.text("name").map(|name| domain::club_identity(&name))),
            BatchKind::RevokeLicense | BatchKind::CorrectLicense | BatchKind::CheckIn => {
                self.text("license_id").map(|id| id.to_lowercase())
            }
            BatchKind::Suspend | BatchKind::ComplimentaryLicense => None,
        };
        subject.unwrap_or_else(|| format!("\n{}", self.number))
    }

    /// What the item's path names, and the item without it: the body of its route.
    fn split<T: DeserializeOwned>(&self, name: &str) -> Result<(String, T), Problem> {
        let Members(members) = self.members.as_ref().map_err(Clone::clone)?;
        let target = members.get(name).ok_or_else(|| missing(name))?;
        let target = serde_json::from_str(target.get()).map_err(|_| invalid(name))?;
        let rest: BTreeMap<_, _> = members.iter().filter(|(member, _)| *member != name).collect();
        let rest = serde_json::to_vec(&rest).map_err(|error| Problem::internal(&error))?;
        let Json(request) = Json::from_bytes(&rest)?;
        Ok((target, request))
    }

    fn license<T: DeserializeOwned>(&self) -> Result<(Uuid, T), Problem> {
        let (license_id, request) = self.split("license_id")?;
        let license_id = license_id.parse().map_err(|_| invalid("license_id"))?;
        Ok((license_id, request))
    }

    fn whole<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let Json(request) = Json::from_bytes(self.text.get().as_bytes())?;
        Ok(request)
    }
}

impl Members {
    /// A member that is there twice would be read as either one, so it is refused.
    fn of(text: &RawValue) -> Result<Self, Problem> {
        let Pairs(pairs) = serde_json::from_str(text.get()).map_err(|_| not_an_item())?;
        let mut members = BTreeMap::new();
        for (name, value) in pairs {
            let again = format!("/{name}");
            if members.insert(name, value).is_some() {
                return Err(malformed().field(
                    again,
                    "duplicate_field",
                    "Feltet er oppgitt flere ganger.",
                    "The field is given more than once.",
                ));
            }
        }
        Ok(Self(members))
    }
}

/// The members of an object in their order, also those that are there twice.
struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Desk<'_> {
    /// The key that this item is done under.
    pub(crate) fn key(&self, item: &Item) -> IdempotencyKey {
        if self.kind == BatchKind::CheckIn
            && let Ok((license_id, report)) = item.license::<ScanReport>()
        {
            // The same scan may have come by its own route.
            return check_in_license::key(license_id, &report);
        }
        IdempotencyKey::new(
            "batch:item",
            format!("{}:{}", self.batch_id, item.number),
            item.text.get(),
        )
    }

    /// Does items of one subject, in their order.
    pub(crate) async fn in_turn(&self, items: Vec<Item>) -> Result<Vec<(u32, ItemResult)>, NotNow> {
        let mut results = Vec::with_capacity(items.len());
        let mut known = None;
        for item in items {
            let number = item.number;
            let done = self.one(&item, &mut known).await;
            results.push((number, self.result(&item, done)?));
        }
        Ok(results)
    }

    /// What the stored answer of an item that was done before says.
    pub(crate) fn done_before(&self, item: &Item, response: &str) -> ItemResult {
        succeeded(self.target(item, response))
    }

    async fn one(&self, item: &Item, known: &mut Option<Loaded<LicenseType>>) -> Done {
        let command = (self.key(item), self.metadata.clone());
        let shop = self.shop;
        match self.kind {
            BatchKind::SetPrice => self.set_price(item, known).await,
            BatchKind::UpsertClub => self.upsert_club(item).await,
            BatchKind::RevokeLicense => {
                let (license_id, asked) = item.license()?;
                let policy = &shop.refund_policy;
                revoke_license::decide(self.command_handler, policy, license_id, asked, command, None)
                    .await
                    .map_err(problem)
            }
            BatchKind::CorrectLicense => {
                let (license_id, asked) = item.license()?;
                let key = &shop.holder_key;
                correct_license::decide(self.command_handler, key, license_id, asked, command, None).await
            }
            BatchKind::Suspend => {
                let new: NewSuspension = item.whole()?;
                let suspension_id = self.id_of(item);
                impose_suspension::decide(
                    self.command_handler,
                    &shop.holder_key,
                    suspension_id,
                    new,
                    command,
                )
                .await
                .map_err(problem)
            }
            BatchKind::CheckIn => {
                let (license_id, report) = item.license()?;
                check_in_license::decide(self.command_handler, license_id, report, command.1, now()).await
            }
            BatchKind::ComplimentaryLicense => self.grant(item).await,
        }
    }

    async fn set_price(&self, item: &Item, known: &mut Option<Loaded<LicenseType>>) -> Done {
        let (code, asked) = item.split::<SetPrice>("code")?;
        if !LicenseType::is_code(&code) {
            return Err(Problem::not_found());
        }
        let license_type_id = license_type_id(&code);
        let (price_ore, valid_from) = (asked.price_ore, asked.valid_from);
        let command = LicenseTypeCommand::SetPrice {
            price_ore,
            valid_from,
            now: now(),
        };
        let request = self.request(license_type_id, command, item);
        let answer =
            |_: &LicenseType, version| json!({"code": code, "price_ore": price_ore, "version": version});
        let executed = self
            .command_handler
            .execute_on::<LicenseType>(known.take(), request, answer)
            .await;
        let (response, after) = executed.map_err(problem)?;
        *known = after;
        Ok(response)
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
            .together(self.key(item), self.metadata.clone(), |unit| {
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

    async fn grant(&self, item: &Item) -> Done {
        let asked: ComplimentaryLicense = item.whole()?;
        let reason = asked.reason.clone();
        let line = asked.line();
        let subjects = line.subjects(&self.shop.holder_key);
        let unreadable = |error| crate::answer::unreadable(&error);
        let now = now();
        let resolved = catalogue::resolve(self.command_handler, vec![line], now).await;
        let Some(line) = resolved.map_err(unreadable)?.pop() else {
            return Err(not_an_item());
        };
        let grant_id = self.id_of(item);
        let license_id = GrantLicense::license_id(grant_id);
        let mut looks = 0;
        loop {
            looks += 1;
            let seen = rule_six::look(self.command_handler, &subjects, now)
                .await
                .map_err(unreadable)?;
            let grant = GrantLicense {
                grant_id,
                given_by: self.user_id,
                line: line.clone(),
                reason: reason.clone(),
                suspended: seen.suspended,
                holder_key: Arc::clone(&self.shop.holder_key),
                now,
            };
            let guards = seen.guards;
            let given = self
                .command_handler
                .together(self.key(item), self.metadata.clone(), |unit| {
                    let (grant, guards) = (grant.clone(), guards.clone());
                    async move {
                        let mut license = unit.load::<License>(license_id).await?;
                        let command = LicenseCommand::Grant(Box::new(grant));
                        unit.handle(&mut license, command).await?;
                        for guard in guards {
                            unit.guard(guard);
                        }
                        Ok(stored(&Given { license_id }))
                    }
                })
                .await;
            return match given {
                Err(CommandError::ClaimTaken(taken)) if rule_six::outdated(&taken) && looks < LOOKS => {
                    continue;
                }
                Err(CommandError::ClaimTaken(taken)) => Err(rule_seven::correction_refused(&taken)),
                given => given.map_err(problem),
            };
        }
    }

    fn request<C>(&self, aggregate_id: Uuid, command: C, item: &Item) -> CommandRequest<C> {
        CommandRequest {
            aggregate_id,
            command,
            key: self.key(item),
            metadata: self.metadata.clone(),
            expected_version: None,
            creates: false,
        }
    }

    /// The id of what an item creates: doing it again creates the same.
    fn id_of(&self, item: &Item) -> Uuid {
        Uuid::new_v5(&self.batch_id, &item.number.to_be_bytes())
    }

    fn result(&self, item: &Item, done: Done) -> Result<ItemResult, NotNow> {
        let refused = match done {
            Ok(response) => return Ok(succeeded(self.target(item, &response.body))),
            Err(refused) => refused,
        };
        let passing = ["conflict", "request_in_flight"].contains(&refused.code());
        if refused.status().is_server_error() || passing {
            return Err(NotNow {
                number: item.number,
                code: refused.code().to_owned(),
            });
        }
        let fields = refused.fields().take(MAX_FIELDS);
        let fields = fields.map(|(pointer, code)| ItemField {
            pointer: cut(pointer),
            code: cut(code),
        });
        Ok(ItemResult {
            outcome: ItemOutcome::Failed,
            target: self.target(item, "{}"),
            code: Some(cut(refused.code())),
            fields: fields.collect(),
        })
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

/// A license to give without an order: the line of an order, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComplimentaryLicense {
    license_type: String,
    club_id: Uuid,
    #[serde(deserialize_with = "domain::typed::date")]
    activity_date: chrono::NaiveDate,
    activity_days: Option<u8>,
    holder: RequestedHolder,
    vehicle: Option<RequestedVehicle>,
    reason: String,
}

impl ComplimentaryLicense {
    fn line(self) -> AskedLine {
        AskedLine {
            license_type: self.license_type,
            club_id: self.club_id,
            activity_date: self.activity_date,
            activity_days: self.activity_days,
            holder: self.holder,
            vehicle: self.vehicle,
        }
    }
}

#[derive(Serialize)]
struct Given {
    license_id: Uuid,
}

fn club_answer(club_id: Uuid, club: &Club, version: u64) -> Value {
    json!({"club_id": club_id, "status": club.status(), "version": version})
}

fn succeeded(target: Option<String>) -> ItemResult {
    ItemResult {
        outcome: ItemOutcome::Succeeded,
        target,
        code: None,
        fields: Vec::new(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// Not a JSON object.
fn not_an_item() -> Problem {
    malformed().field(
        "",
        "invalid_value",
        "Elementet må være et objekt.",
        "The item must be an object.",
    )
}

fn missing(name: &str) -> Problem {
    malformed().field(
        format!("/{name}"),
        "missing_field",
        "Feltet mangler.",
        "The field is missing.",
    )
}

fn invalid(name: &str) -> Problem {
    malformed().field(
        format!("/{name}"),
        "invalid_value",
        "Verdien er ikke gyldig.",
        "The value is not valid.",
    )
}

fn malformed() -> Problem {
    Problem::new(
        axum::http::StatusCode::BAD_REQUEST,
        "malformed_body",
        "Elementet kunne ikke leses.",
        "The item could not be read.",
    )
}
