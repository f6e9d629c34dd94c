//! Loads the catalogue of license types, clubs and terms through commands, as any client would. A row's idempotency key follows
//! from its content, so a second load changes nothing and is quick.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::stream::{StreamExt as _, TryStreamExt as _, iter};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::readiness::http_client;

const LICENSE_TYPES: &str = include_str!("../../../../data/license_types.csv");
const CLUBS: &str = include_str!("../../../../data/clubs.csv");

/// Names the idempotency keys of this loader.
const NAMESPACE: Uuid = Uuid::from_u128(0x4b0f_6a0e_9a5c_5d0b_8f0a_1f6b_9d7e_2c11);
const IN_FLIGHT: usize = 8;
const TRIES: u32 = 5;
/// Disciplines whose types have a lifetime cap, with the cap.
const LIFETIME_CAPS: [(&str, u16); 1] = [("funsport", 4)];
/// A track day may span this many consecutive days.
const TRACK_DAY_DAYS: u8 = 3;

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Id and name of each club that a command answered for.
    pub clubs: Vec<(Uuid, String)>,
    /// Codes of the license types.
    pub license_types: Vec<String>,
    /// How many rows were new.
    pub created: usize,
    /// The highest log position that a command answered with.
    pub position: u64,
}

#[derive(Deserialize)]
struct LicenseTypeRow {
    code: String,
    category: String,
    discipline: String,
    name_nb: String,
    role: String,
    price_ore: i64,
}

/// The body of `POST /license-types`.
#[derive(Serialize)]
struct CreateLicenseType<'a> {
    code: &'a str,
    category: &'a str,
    discipline: &'a str,
    role: &'a str,
    name_nb: &'a str,
    name_en: &'a str,
    price_ore: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_days: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime_cap: Option<u16>,
}

/// The body of `POST /clubs`.
#[derive(Deserialize, Serialize)]
struct CreateClub {
    name: String,
}

/// Sends one command per row, several at a time.
pub async fn load(command_api_url: &str, staff_token: &str) -> anyhow::Result<Catalogue> {
    let client = Client {
        http: http_client()?,
        url: command_api_url,
        token: staff_token,
    };
    let mut catalogue = Catalogue::default();
    let (types, clubs) = (license_type_rows()?, club_rows()?);

    let bodies = types
        .iter()
        .map(|row| serde_json::to_vec(&row.body()))
        .collect::<Result<_, _>>()?;
    for (row, answer) in types
        .iter()
        .zip(client.create_all("license-types", bodies).await?)
    {
        catalogue.license_types.push(row.code.clone());
        catalogue.count(&answer);
    }
    let bodies = clubs.iter().map(serde_json::to_vec).collect::<Result<_, _>>()?;
    for (row, answer) in clubs.into_iter().zip(client.create_all("clubs", bodies).await?) {
        catalogue.count(&answer);
        // A club that was there already is named by the refusal.
        let known = ["/club_id", "/club/club_id"];
        if let Some(id) = known.iter().find_map(|at| answer.body.pointer(at)?.as_str()) {
            catalogue
                .clubs
                .push((id.parse().context("club_id is no UUID")?, row.name));
        }
    }
    let terms = serde_json::to_vec(&terms())?;
    for answer in client.create_all("terms", vec![terms]).await? {
        catalogue.count(&answer);
    }
    Ok(catalogue)
}

fn license_type_rows() -> anyhow::Result<Vec<LicenseTypeRow>> {
    csv::Reader::from_reader(LICENSE_TYPES.as_bytes())
        .into_deserialize()
        .collect::<Result<_, _>>()
        .context("data/license_types.csv")
}

fn club_rows() -> anyhow::Result<Vec<CreateClub>> {
    csv::Reader::from_reader(CLUBS.as_bytes())
        .into_deserialize()
        .collect::<Result<_, _>>()
        .context("data/clubs.csv")
}

/// The bodies of `POST /license-types` for all license types.
pub fn license_types() -> anyhow::Result<Vec<Value>> {
    let rows = license_type_rows()?;
    rows.iter()
        .map(|row| Ok(serde_json::to_value(row.body())?))
        .collect()
}

/// The names of all clubs.
pub fn club_names() -> anyhow::Result<Vec<String>> {
    Ok(club_rows()?.into_iter().map(|club| club.name).collect())
}

/// The version of the terms that orders accept here.
pub const TERMS_VERSION: &str = "2026-01";

/// The body of `POST /terms`: terms to try the shop with.
pub fn terms() -> Value {
    json!({
        "terms_version": TERMS_VERSION,
        "title_nb": "Vilkår for engangslisens",
        "title_en": "Terms for one-event licenses",
        "text_nb": "1. Lisensen gjelder for personen, klubben og dagene som står på den.\n\
                    2. Den kan ikke overdras.",
        "text_en": "1. The license is for the person, the club and the days that it names.\n\
                    2. It can't be passed on.",
        "declaration_nb": "Jeg kjenner reglene og har ingen helseplager som gjør deltakelse farlig.",
        "declaration_en": "I know the rules and have no health problems that make taking part dangerous.",
    })
}

impl LicenseTypeRow {
    fn body(&self) -> CreateLicenseType<'_> {
        CreateLicenseType {
            code: &self.code,
            category: &self.category,
            discipline: &self.discipline,
            role: &self.role,
            name_nb: &self.name_nb,
            // Names of disciplines; the file has no translations.
            name_en: &self.name_nb,
            price_ore: self.price_ore,
            max_days: (self.category == "track_day").then_some(TRACK_DAY_DAYS),
            lifetime_cap: LIFETIME_CAPS
                .iter()
                .find(|(discipline, _)| *discipline == self.discipline)
                .map(|(_, cap)| *cap),
        }
    }
}

impl Catalogue {
    fn count(&mut self, answer: &Answer) {
        self.created += usize::from(answer.created);
        self.position = self
            .position
            .max(answer.body["position"].as_u64().unwrap_or_default());
    }
}

struct Client<'a> {
    http: reqwest::Client,
    url: &'a str,
    token: &'a str,
}

struct Answer {
    body: Value,
    created: bool,
}

impl Client<'_> {
    /// The answers come in the order of the bodies.
    async fn create_all(&self, resource: &str, bodies: Vec<Vec<u8>>) -> anyhow::Result<Vec<Answer>> {
        let requests = bodies.into_iter().map(|body| self.create(resource, body));
        iter(requests).buffered(IN_FLIGHT).try_collect().await
    }

    /// Sends the command, and again after a failure that may pass: the key makes that safe.
    async fn create(&self, resource: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let key = Uuid::new_v5(&NAMESPACE, &[resource.as_bytes(), b"\n", &body].concat()).to_string();
        let mut failure = anyhow::anyhow!("not tried");
        for attempt in 0..TRIES {
            tokio::time::sleep(Duration::from_millis(200) * attempt).await;
            let request = self
                .http
                .post(format!("{}/api/v1/{resource}", self.url))
                .bearer_auth(self.token)
                .header("Idempotency-Key", &key)
                .header("Content-Type", "application/json")
                .body(body.clone());
            match request.send().await {
                Ok(response) if response.status() == StatusCode::CREATED => {
                    let created = !response.headers().contains_key("Idempotency-Replayed");
                    return Ok(Answer {
                        body: response.json().await?,
                        created,
                    });
                }
                // The same thing under another key: loaded from an earlier version of the file.
                Ok(response) if response.status() == StatusCode::CONFLICT => {
                    return Ok(Answer {
                        body: response.json().await?,
                        created: false,
                    });
                }
                Ok(response) => {
                    let status = response.status();
                    let text = response.text().await.unwrap_or_default();
                    failure = anyhow::anyhow!("POST /{resource} answered {status}: {text}");
                    if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        bail!(failure);
                    }
                }
                Err(error) => failure = error.into(),
            }
        }
        Err(failure).with_context(|| format!("gave up after {TRIES} tries"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_42_license_types_and_180_clubs() {
        let types: Vec<LicenseTypeRow> = csv::Reader::from_reader(LICENSE_TYPES.as_bytes())
            .into_deserialize()
            .collect::<Result<_, _>>()
            .unwrap();
        let clubs: Vec<CreateClub> = csv::Reader::from_reader(CLUBS.as_bytes())
            .into_deserialize()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!((types.len(), clubs.len()), (42, 180));
        let days: Vec<_> = types.iter().filter_map(|row| row.body().max_days).collect();
        assert_eq!(days, [3, 3, 3], "track days, and only those, may span days");
        let caps: Vec<_> = types.iter().filter_map(|row| row.body().lifetime_cap).collect();
        assert_eq!(caps, [4, 4], "the two types of Norsk Funsport");
    }
}
