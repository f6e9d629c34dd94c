//! The catalogue: what can be bought, by whom, and at which price from when on.

use chrono::{DateTime, Days, TimeDelta, Utc};
use events::{
    LicenseTypeCreated, LicenseTypeEvent, LicenseTypeFacts, LicenseTypePriceSet, LicenseTypePriceWithdrawn,
    LicenseTypeRetired, Tax, aggregate_type,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{Category, Role};

use crate::aggregate::aggregate;
use crate::findings::Findings;
use crate::refusal::{Refusal, Rule};
use crate::typed::label;

/// The highest price of one license, in øre: NOK 100,000.
const MAX_PRICE_ORE: i64 = 10_000_000;

/// How far ahead a price may be set. Further ahead is a mistyped year.
const MAX_PRICE_AHEAD: Days = Days::new(2 * 366);

/// The most prices of one type that are not in force yet.
const MAX_COMING_PRICES: usize = 50;

/// How many prices of a type are known: those that are coming, the one in force, and the latest ones before it.
const KNOWN_PRICES: usize = 200;

/// A browser's "now" is this much in the past at most when it arrives: it then means now.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// The highest cap that a type can name. No holder reaches a higher one.
const MAX_LIFETIME_CAP: u16 = 1000;

/// The highest rate of tax, in per mille.
const MAX_TAX_PERMILLE: u16 = 1000;

/// The oldest age that a type can name.
const MAX_AGE: u8 = 120;

/// An entry of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseType {
    created: Option<LicenseTypeCreated>,
    prices: Vec<LicenseTypePriceSet>,
    retired: bool,
}

/// What the catalogue offers at one moment: what an order line is checked and priced against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What the type is.
    pub facts: LicenseTypeFacts,
    /// The price at that moment, in øre.
    pub price_ore: i64,
    /// Youngest age on the activity day.
    pub min_age: Option<u8>,
    /// Oldest age on the activity day.
    pub max_age: Option<u8>,
    /// How many consecutive days one license may span.
    pub max_days: u8,
    /// The most licenses of this type that one holder may ever have.
    pub lifetime_cap: Option<u16>,
    /// The tax in the price.
    pub tax: Tax,
}

/// What a license type can be asked to do.
#[derive(Clone, Debug)]
pub enum LicenseTypeCommand {
    /// Create the type, with a first price that holds from `now` on.
    Create {
        /// What it is.
        new: NewLicenseType,
        /// The moment of the command.
        now: DateTime<Utc>,
    },
    /// Set the price from a moment on.
    SetPrice {
        /// The price, in øre.
        price_ore: i64,
        /// From when on; now, if not given.
        valid_from: Option<DateTime<Utc>>,
        /// The moment of the command.
        now: DateTime<Utc>,
    },
    /// Withdraw a price that is not in force yet.
    WithdrawPrice {
        /// From when on it would hold.
        valid_from: DateTime<Utc>,
        /// The moment of the command.
        now: DateTime<Utc>,
    },
    /// Sell it no more. A type that is retired stays retired.
    Retire,
}

/// A new entry of the catalogue.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLicenseType {
    /// Code, lower-case letters, digits and hyphens.
    #[schema(pattern = "^[a-z0-9-]{1,64}$", example = "banedag-racing")]
    pub code: String,
    /// Kind of activity.
    pub category: Category,
    /// Branch of the sport.
    #[schema(min_length = 1, max_length = 64, example = "racing")]
    pub discipline: String,
    /// What the holder does.
    pub role: Role,
    /// Norwegian name.
    #[schema(min_length = 1, max_length = 120, example = "Banedag racing")]
    pub name_nb: String,
    /// English name.
    #[schema(min_length = 1, max_length = 120, example = "Track day racing")]
    pub name_en: String,
    /// First price, in øre.
    #[schema(minimum = 1, maximum = 10_000_000, example = 22_000)]
    pub price_ore: i64,
    /// Youngest age on the activity day.
    #[schema(maximum = 120, example = 15)]
    pub min_age: Option<u8>,
    /// Oldest age on the activity day.
    #[schema(maximum = 120, example = 99)]
    pub max_age: Option<u8>,
    /// How many consecutive days one license may span, 1 to 3; 1 if not given. More than 1 only for track days.
    #[schema(minimum = 1, maximum = 3, example = 3)]
    pub max_days: Option<u8>,
    /// The most licenses of this type that one holder may ever have; no limit if not given.
    #[schema(minimum = 1, maximum = 1000, example = 4)]
    pub lifetime_cap: Option<u16>,
    /// The bookkeeping code of the tax in its prices; `exempt` if not given.
    #[schema(pattern = "^[a-z0-9-]{1,32}$", example = "exempt")]
    pub tax_code: Option<String>,
    /// The tax's share of the price without tax, in per mille; 0 if not given. An exempt type has 0.
    #[schema(maximum = 1000, example = 0)]
    pub tax_rate_permille: Option<u16>,
}

aggregate!(LicenseType: aggregate_type::LICENSE_TYPE, LicenseTypeCommand => LicenseTypeEvent);

impl LicenseType {
    /// What is offered at `moment`; nothing before the type exists and has a price, or after it was retired.
    pub fn offer_at(&self, moment: DateTime<Utc>) -> Option<Offer> {
        let created = self.created.as_ref().filter(|_| !self.retired)?;
        let price = self.price_at(moment)?;
        Some(Offer {
            facts: created.facts.clone(),
            price_ore: price.price_ore,
            min_age: created.min_age,
            max_age: created.max_age,
            max_days: created.max_days,
            lifetime_cap: created.lifetime_cap,
            tax: created.tax.clone(),
        })
    }

    /// Youngest and oldest age on the activity day, also of a type that is not sold any more.
    pub fn ages(&self) -> (Option<u8>, Option<u8>) {
        let created = self.created.as_ref();
        created.map_or((None, None), |created| (created.min_age, created.max_age))
    }

    /// Whether a type could have this code.
    pub fn is_code(text: &str) -> bool {
        code(text).is_ok()
    }

    fn decide(&self, command: LicenseTypeCommand) -> Result<Vec<LicenseTypeEvent>, Refusal> {
        match command {
            LicenseTypeCommand::Create { .. } if self.created.is_some() => Err(Refusal::Exists),
            LicenseTypeCommand::Create { new, now } => create(&new, now),
            _ if self.created.is_none() => Err(Refusal::Unknown),
            LicenseTypeCommand::SetPrice { .. } if self.retired => Err(Refusal::Retired),
            LicenseTypeCommand::SetPrice {
                price_ore,
                valid_from,
                now,
            } => self.set_price(price_set(price_ore, valid_from, now)?, now),
            LicenseTypeCommand::WithdrawPrice { valid_from, now } => {
                if !self.prices.iter().any(|price| price.valid_from == valid_from) {
                    return Err(Refusal::Unknown);
                }
                if valid_from <= now {
                    return Err(Refusal::PriceInForce);
                }
                Ok(vec![LicenseTypePriceWithdrawn { valid_from }.into()])
            }
            LicenseTypeCommand::Retire if self.retired => Ok(Vec::new()),
            LicenseTypeCommand::Retire => Ok(vec![LicenseTypeRetired {}.into()]),
        }
    }

    /// Records nothing that changes nothing, whatever is decided later.
    fn set_price(
        &self,
        set: LicenseTypePriceSet,
        now: DateTime<Utc>,
    ) -> Result<Vec<LicenseTypeEvent>, Refusal> {
        let holds = self.price_at(set.valid_from);
        let same = |price: &LicenseTypePriceSet| {
            price.price_ore == set.price_ore && (set.valid_from <= now || price.valid_from == set.valid_from)
        };
        if holds.is_some_and(same) {
            return Ok(Vec::new());
        }
        let coming = self
            .prices
            .iter()
            .filter(|price| price.valid_from > now && price.valid_from != set.valid_from);
        if set.valid_from > now && coming.count() >= MAX_COMING_PRICES {
            return Err(Refusal::field("/valid_from", Rule::TooManyPrices));
        }
        Ok(vec![set.into()])
    }

    /// The latest start wins.
    fn price_at(&self, moment: DateTime<Utc>) -> Option<&LicenseTypePriceSet> {
        self.prices
            .iter()
            .filter(|price| price.valid_from <= moment)
            .max_by_key(|price| price.valid_from)
    }

    fn evolve(&mut self, event: LicenseTypeEvent) {
        match event {
            LicenseTypeEvent::LicenseTypeCreated(created) => self.created = Some(created),
            LicenseTypeEvent::LicenseTypePriceSet(price) => {
                // Of two with the same start, the one decided later holds.
                self.prices.retain(|other| other.valid_from != price.valid_from);
                self.prices.push(price);
                if self.prices.len() > KNOWN_PRICES {
                    let earliest = self.prices.iter().map(|price| price.valid_from).min();
                    self.prices.retain(|price| Some(price.valid_from) != earliest);
                }
            }
            LicenseTypeEvent::LicenseTypePriceWithdrawn(withdrawn) => {
                self.prices
                    .retain(|price| price.valid_from != withdrawn.valid_from);
            }
            LicenseTypeEvent::LicenseTypeRetired(_) => self.retired = true,
        }
    }
}

fn price_set(
    price_ore: i64,
    valid_from: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<LicenseTypePriceSet, Refusal> {
    let mut findings = Findings::new();
    findings.keep("/price_ore".into(), price(price_ore));
    let from = valid_from.unwrap_or(now);
    if from < now - CLOCK_TOLERANCE {
        findings.add("/valid_from".into(), Rule::ValidFromPast);
    }
    if now
        .checked_add_days(MAX_PRICE_AHEAD)
        .is_some_and(|latest| from > latest)
    {
        findings.add("/valid_from".into(), Rule::ValidFromTooFar);
    }
    findings.refuse()?;
    // A price never holds for the past: an order placed a second ago had the one before.
    Ok(LicenseTypePriceSet {
        price_ore,
        valid_from: from.max(now),
    })
}

fn create(new: &NewLicenseType, now: DateTime<Utc>) -> Result<Vec<LicenseTypeEvent>, Refusal> {
    let mut findings = Findings::new();
    let code = findings.keep("/code".into(), code(&new.code));
    let discipline = findings.keep("/discipline".into(), label(&new.discipline, 64));
    let name_nb = findings.keep("/name_nb".into(), label(&new.name_nb, 120));
    let name_en = findings.keep("/name_en".into(), label(&new.name_en, 120));
    findings.keep("/price_ore".into(), price(new.price_ore));
    for (pointer, age) in [("/min_age", new.min_age), ("/max_age", new.max_age)] {
        if age.is_some_and(|age| age > MAX_AGE) {
            findings.add(pointer.into(), Rule::Age);
        }
    }
    if let (Some(min), Some(max)) = (new.min_age, new.max_age)
        && min > max
    {
        findings.add("/min_age".into(), Rule::AgeRange);
    }
    let max_days = new.max_days.unwrap_or(1);
    let most = if new.category == Category::TrackDay { 3 } else { 1 };
    if !(1..=most).contains(&max_days) {
        findings.add("/max_days".into(), Rule::ActivityDays);
    }
    if new
        .lifetime_cap
        .is_some_and(|cap| !(1..=MAX_LIFETIME_CAP).contains(&cap))
    {
        findings.add("/lifetime_cap".into(), Rule::LifetimeCap);
    }
    let tax = tax(new, &mut findings);
    findings.refuse()?;
    let (Some(code), Some(discipline), Some(name_nb), Some(name_en), Some(tax)) =
        (code, discipline, name_nb, name_en, tax)
    else {
        return Err(Refusal::Invalid(Vec::new()));
    };
    let facts = LicenseTypeFacts {
        code,
        category: new.category,
        discipline,
        role: new.role,
        name_nb,
        name_en,
    };
    Ok(vec![
        LicenseTypeCreated {
            facts,
            min_age: new.min_age,
            max_age: new.max_age,
            max_days,
            lifetime_cap: new.lifetime_cap,
            tax,
        }
        .into(),
        LicenseTypePriceSet {
            price_ore: new.price_ore,
            valid_from: now,
        }
        .into(),
    ])
}

fn tax(new: &NewLicenseType, findings: &mut Findings) -> Option<Tax> {
    let exempt = Tax::default();
    let (given, rate_permille) = (new.tax_code.as_deref(), new.tax_rate_permille.unwrap_or(0));
    let code = findings.keep("/tax_code".into(), code(given.unwrap_or(&exempt.code)))?;
    let is_rate = rate_permille <= MAX_TAX_PERMILLE && (rate_permille == 0 || code != exempt.code);
    if !is_rate {
        findings.add("/tax_rate_permille".into(), Rule::TaxRate);
    }
    Some(Tax { code, rate_permille })
}

fn code(given: &str) -> Result<String, Rule> {
    let code = label(given, 64)?;
    let shaped = code
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if shaped && code == given {
        Ok(code)
    } else {
        Err(Rule::Code)
    }
}

fn price(price_ore: i64) -> Result<i64, Rule> {
    if (1..=MAX_PRICE_ORE).contains(&price_ore) {
        Ok(price_ore)
    } else {
        Err(Rule::Price)
    }
}

#[cfg(test)]
mod tests;
