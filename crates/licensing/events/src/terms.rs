//! The terms that customers accept, and what they declare with them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::declare::events;

events! {
    /// What happens to the terms: one aggregate has all versions.
    pub enum TermsEvent {
        /// A version of the terms comes into force at a moment.
        TermsPublished: "1",
    }
}

/// A version of the terms comes into force at a moment. Its texts never change, so an order that names it says what was
/// accepted and declared.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct TermsPublished {
    /// The version's name, for example `2026-01`.
    pub terms_version: String,
    /// From when on orders accept it.
    pub valid_from: DateTime<Utc>,
    /// Norwegian title.
    pub title_nb: String,
    /// English title.
    pub title_en: String,
    /// Norwegian text: lines, separated by U+000A.
    pub text_nb: String,
    /// English text: lines, separated by U+000A.
    pub text_en: String,
    /// What the customer declares, in Norwegian.
    pub declaration_nb: String,
    /// What the customer declares, in English.
    pub declaration_en: String,
}
