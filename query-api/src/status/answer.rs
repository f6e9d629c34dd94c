//! The answer as clients read it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What works, and how new what is shown is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StatusAnswer {
    /// When this was true.
    pub(crate) generated_at: DateTime<Utc>,
    /// All in one word.
    pub(crate) status: Overall,
    /// All in a sentence or two, in Norwegian (bokmål).
    #[schema(example = "Alt virker.")]
    pub(crate) summary_nb: String,
    /// All in a sentence or two, in English.
    #[schema(example = "Everything works.")]
    pub(crate) summary_en: String,
    /// What the shop consists of.
    pub(crate) components: Vec<Component>,
    /// What people do with it.
    pub(crate) features: Vec<Feature>,
    /// How new the data is that is shown.
    pub(crate) data: Data,
}

/// All in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Overall {
    /// Everything works.
    Ok,
    /// Something does not work, or not as usual.
    Degraded,
    /// Neither looking nor buying works.
    Down,
}

/// A part of the shop.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Component {
    /// Its name.
    #[schema(example = "updates")]
    pub(crate) name: &'static str,
    /// How it is.
    pub(crate) status: ComponentStatus,
    /// What that means, in Norwegian (bokmål).
    pub(crate) message_nb: &'static str,
    /// What that means, in English.
    pub(crate) message_en: &'static str,
    /// Since when this server sees it so.
    pub(crate) since: DateTime<Utc>,
}

/// How a part of the shop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ComponentStatus {
    /// It works.
    Ok,
    /// It works, but not as usual.
    Degraded,
    /// It does not work.
    Down,
    /// This server does not know.
    Unknown,
}

impl ComponentStatus {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// Something that people do with the shop.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Feature {
    /// Its name.
    #[schema(example = "buy")]
    pub(crate) name: &'static str,
    /// How it is.
    pub(crate) status: FeatureStatus,
    /// What it is, in Norwegian (bokmål).
    pub(crate) label_nb: &'static str,
    /// What it is, in English.
    pub(crate) label_en: &'static str,
    /// How it is, in Norwegian (bokmål).
    pub(crate) message_nb: &'static str,
    /// How it is, in English.
    pub(crate) message_en: &'static str,
}

/// How something works that people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FeatureStatus {
    /// It works.
    Works,
    /// It works, without the latest changes.
    Stale,
    /// It does not work.
    Away,
    /// This server does not know.
    Unknown,
}

/// How new the data is that is shown.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct Data {
    /// The log position that it is true at, as last seen.
    #[schema(minimum = 0, example = 4711)]
    pub(crate) position: u64,
    /// The epoch of the log that it is of.
    pub(crate) epoch: Uuid,
    /// When it held everything at last; null if this server has not seen that yet.
    pub(crate) as_of: Option<DateTime<Utc>>,
    /// How many seconds ago that was.
    #[schema(minimum = 0, example = 1)]
    pub(crate) lag_seconds: Option<u64>,
}
