//! The terms: which version is in force when, and which one an order may accept.

use chrono::{DateTime, Days, TimeDelta, Utc};
use events::{TermsEvent, TermsPublished, aggregate_type};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::aggregate::aggregate;
use crate::findings::Findings;
use crate::refusal::{Refusal, Rule};
use crate::typed::{label, paragraphs};

/// How long a version is accepted after its successor came into force. A customer may have read it just before, on the
/// morning of the race; what they declared is kept by its version.
pub const TERMS_GRACE: TimeDelta = TimeDelta::hours(24);

/// How far ahead a version may come into force. Further ahead is a mistyped year.
const MAX_AHEAD: Days = Days::new(366);

/// A browser's "now" is this much in the past at most when it arrives: it then means now.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(1);

const MAX_TITLE: usize = 120;
const MAX_TEXT: usize = 50_000;
const MAX_DECLARATION: usize = 2_000;

/// The versions of the terms. Their texts are in the log, not here: an order is checked against names and moments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    versions: Vec<Version>,
}

/// A version of the terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    name: String,
    valid_from: DateTime<Utc>,
}

/// What the terms can be asked to do.
#[derive(Clone, Debug)]
pub enum TermsCommand {
    /// Publish a version.
    Publish {
        /// What it says.
        new: Box<NewTerms>,
        /// The moment of the command.
        now: DateTime<Utc>,
    },
}

/// A version of the terms to publish. It never changes; what is wrong in it is put right by another version.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTerms {
    /// The version's name, which orders accept.
    #[schema(min_length = 1, max_length = 64, example = "2026-01")]
    pub terms_version: String,
    /// From when on it is in force; now, if not given.
    #[serde(default, deserialize_with = "crate::typed::optional_moment")]
    #[schema(pattern = "^(19[0-9]{2}|20[0-9]{2}|2100)-")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Norwegian title.
    #[schema(min_length = 1, max_length = 120, example = "Vilkår for engangslisens")]
    pub title_nb: String,
    /// English title.
    #[schema(min_length = 1, max_length = 120, example = "Terms for one-event licenses")]
    pub title_en: String,
    /// Norwegian text, in lines.
    #[schema(
        min_length = 1,
        max_length = 50_000,
        example = "Lisensen gjelder for én person."
    )]
    pub text_nb: String,
    /// English text, in lines.
    #[schema(
        min_length = 1,
        max_length = 50_000,
        example = "The license is for one person."
    )]
    pub text_en: String,
    /// What the customer declares, in Norwegian.
    #[schema(min_length = 1, max_length = 2_000, example = "Jeg er frisk nok til å delta.")]
    pub declaration_nb: String,
    /// What the customer declares, in English.
    #[schema(
        min_length = 1,
        max_length = 2_000,
        example = "I am well enough to take part."
    )]
    pub declaration_en: String,
}

aggregate!(Terms: aggregate_type::TERMS, TermsCommand => TermsEvent);

impl Terms {
    /// The version in force at `moment`.
    pub fn current(&self, moment: DateTime<Utc>) -> Option<&str> {
        let mut in_force = None;
        for version in &self.versions {
            if version.valid_from <= moment {
                in_force = Some(version.name.as_str());
            }
        }
        in_force
    }

    /// When this version comes into force.
    pub fn valid_from(&self, name: &str) -> Option<DateTime<Utc>> {
        let mut versions = self.versions.iter();
        let version = versions.find(|version| version.name == name)?;
        Some(version.valid_from)
    }

    /// Refuses a version that an order can't accept at `now`: the current one, and the one before it for [`TERMS_GRACE`].
    pub fn accept(&self, name: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        let current = self.current(now).ok_or(Refusal::TermsMissing)?;
        let current = || current.to_owned();
        let at = self.versions.iter().position(|version| version.name == name);
        let at = at.filter(|at| self.versions[*at].valid_from <= now);
        let at = at.ok_or_else(|| Refusal::TermsUnknown { current: current() })?;
        // A version whose successor came into force at the same moment never was in force itself.
        let (own, next) = (&self.versions[at], self.versions.get(at + 1));
        let replaced = next.is_some_and(|next| {
            next.valid_from <= now
                && (next.valid_from + TERMS_GRACE <= now || next.valid_from == own.valid_from)
        });
        if replaced {
            return Err(Refusal::TermsOutdated { current: current() });
        }
        Ok(())
    }

    fn decide(&self, command: TermsCommand) -> Result<Option<TermsEvent>, Refusal> {
        let TermsCommand::Publish { new, now } = command;
        let published = published(&new, now)?;
        if self.valid_from(&published.terms_version).is_some() {
            return Err(Refusal::Exists);
        }
        Ok(Some(published.into()))
    }

    fn evolve(&mut self, event: TermsEvent) {
        let TermsEvent::TermsPublished(published) = event;
        self.versions.push(Version {
            name: published.terms_version,
            valid_from: published.valid_from,
        });
        // Stable: of two with the same start, the one published later is in force.
        self.versions.sort_by_key(|version| version.valid_from);
    }
}

/// The name of a version in the form that is stored; empty if no version can have it.
pub fn terms_version(given: &str) -> String {
    label(given, 64).unwrap_or_default()
}

fn published(new: &NewTerms, now: DateTime<Utc>) -> Result<TermsPublished, Refusal> {
    let mut findings = Findings::new();
    let from = new.valid_from.unwrap_or(now);
    if from < now - CLOCK_TOLERANCE {
        findings.add("/valid_from".into(), Rule::ValidFromPast);
    }
    let latest = now.checked_add_days(MAX_AHEAD);
    if latest.is_some_and(|latest| from > latest) {
        findings.add("/valid_from".into(), Rule::ValidFromTooFar);
    }
    let mut keep = |name: &str, checked| findings.keep(format!("/{name}"), checked).unwrap_or_default();
    let published = TermsPublished {
        terms_version: keep("terms_version", label(&new.terms_version, 64)),
        // Never in force for the past: an order placed a second ago accepted the version before.
        valid_from: from.max(now),
        title_nb: keep("title_nb", label(&new.title_nb, MAX_TITLE)),
        title_en: keep("title_en", label(&new.title_en, MAX_TITLE)),
        text_nb: keep("text_nb", paragraphs(&new.text_nb, MAX_TEXT)),
        text_en: keep("text_en", paragraphs(&new.text_en, MAX_TEXT)),
        declaration_nb: keep("declaration_nb", paragraphs(&new.declaration_nb, MAX_DECLARATION)),
        declaration_en: keep("declaration_en", paragraphs(&new.declaration_en, MAX_DECLARATION)),
    };
    findings.refuse()?;
    Ok(published)
}

#[cfg(test)]
mod tests;
