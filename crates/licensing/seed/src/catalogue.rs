//! What is sold, by whom, and at which prices: the project's own catalogue, with a past.

use chrono::{DateTime, Months, Utc};
use domain::{NewLicenseType, NewTerms};
use serde_json::Value;
use vocabulary::{Category, Role};

use crate::calendar::Calendar;
use crate::dice::Dice;

/// A kind of meeting, and what is sold for it.
pub(crate) struct Kind {
    pub(crate) category: Category,
    /// The type of those who drive.
    pub(crate) main: usize,
    /// Types of those who come along.
    pub(crate) beside: Vec<usize>,
    pub(crate) weight: f64,
}

/// A club that runs meetings: few are large.
pub(crate) struct ClubSize {
    pub(crate) name: String,
    pub(crate) weight: f64,
    /// Whether it joined after the shop had opened: the year, from 0.
    pub(crate) joined: usize,
}

/// The license types, in the order of the file.
pub(crate) fn license_types() -> anyhow::Result<Vec<NewLicenseType>> {
    let bodies = stack::catalogue::license_types()?;
    bodies
        .into_iter()
        .map(|body| Ok(serde_json::from_value(body)?))
        .collect()
}

/// The clubs, in the order of their size.
pub(crate) fn clubs(dice: &mut Dice) -> anyhow::Result<Vec<ClubSize>> {
    let mut names = stack::catalogue::club_names()?;
    // A shuffle (Fisher-Yates): which clubs are large differs from seed to seed.
    for last in (1..names.len()).rev() {
        names.swap(last, dice.below(last + 1));
    }
    let mut rank = 0.0_f64;
    let size = |name| {
        rank += 1.0;
        // Zipf's law. Small clubs joined over the years.
        let late = rank > 130.0;
        ClubSize {
            name,
            weight: rank.powf(-0.85),
            joined: if late { 1 + dice.below(8) } else { 0 },
        }
    };
    Ok(names.into_iter().map(size).collect())
}

/// The kinds of meetings that these types make.
pub(crate) fn kinds(types: &[NewLicenseType]) -> Vec<Kind> {
    let comes_along = |kind: &NewLicenseType| matches!(kind.role, Role::Companion | Role::Passenger);
    let root = |kind: &NewLicenseType| kind.discipline.split('_').next().unwrap_or_default().to_owned();
    let drivers = types.iter().enumerate().filter(|(_, kind)| !comes_along(kind));
    let kind = |(main, driver): (usize, &NewLicenseType)| {
        let fits = |beside: &NewLicenseType| {
            let same = beside.category == driver.category || beside.category == Category::Passenger;
            comes_along(beside) && same && root(beside) == root(driver)
        };
        Kind {
            category: driver.category,
            main,
            beside: (0..types.len()).filter(|place| fits(&types[*place])).collect(),
            weight: popularity(driver),
        }
    };
    let mut kinds: Vec<Kind> = drivers.map(kind).collect();
    // Passengers of branches whose drivers have a license for the season.
    for (place, passenger) in types.iter().enumerate().filter(|(_, kind)| comes_along(kind)) {
        if !kinds.iter().any(|kind| kind.beside.contains(&place)) {
            kinds.push(Kind {
                category: passenger.category,
                main: place,
                beside: Vec::new(),
                weight: 1.5,
            });
        }
    }
    kinds
}

fn popularity(kind: &NewLicenseType) -> f64 {
    let of_branch = match kind.discipline.as_str() {
        "bilcross" => 9.0,
        "crosskart" | "racing" | "drifting" => 6.0,
        "street_legal" | "autoslalom" | "forenkla" | "rally_kartleser" => 4.0,
        _ => 1.5,
    };
    of_branch
        * match kind.category {
            Category::Competition => 1.6,
            Category::TrackDay => 1.4,
            Category::Training => 0.7,
            Category::Passenger | Category::Test => 0.4,
        }
}

/// What a type cost in a year, from 0: prices rise, and the last ones are those of the file.
pub(crate) fn price_ore(now_ore: i64, year: usize, last_year: usize) -> i64 {
    const STEP_ORE: i64 = 1_000;
    // Every second year.
    let behind = i64::try_from(last_year.saturating_sub(year).div_ceil(2)).unwrap_or_default();
    let ore = now_ore * (100 - 6 * behind) / 100;
    (ore / STEP_ORE * STEP_ORE).max(STEP_ORE)
}

/// The versions of the terms, with the moments from which they were in force. The last one is what orders accept today.
pub(crate) fn terms(calendar: &Calendar) -> anyhow::Result<Vec<(DateTime<Utc>, NewTerms)>> {
    let last = stack::catalogue::terms();
    let older = [0, 24, 72].map(|months| calendar.opens + Months::new(months));
    let current = calendar.until - Months::new(9);
    let name = |from: DateTime<Utc>| from.format("%Y-%m").to_string();
    let named = older.map(|from| (from, name(from)));
    let all = named
        .into_iter()
        .chain([(current, stack::catalogue::TERMS_VERSION.to_owned())]);
    all.map(|(from, name)| {
        let mut terms = last.clone();
        terms["terms_version"] = Value::from(name);
        Ok((from, serde_json::from_value(terms)?))
    })
    .collect()
}
