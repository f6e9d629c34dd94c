//! The terms: their table and their resource.

use chrono::{DateTime, Utc};
use query::{Filter, Sort, Word, small_table};
use uuid::Uuid;
use vocabulary::{TermsStatus, Word as _};

use crate::checkpoint::PROJECTION;

query::resource! {
    /// A row of `terms`.
    #[derive(PartialEq)]
    row TermsRow;

    /// Versions of the terms: the current one first, then earlier ones, then those to come.
    resource TERMS = "terms" {
        schema: "Terms",
        projection: PROJECTION,
        table: "terms",
        key: terms_id,
        audience: Public,
        default: Descending,
        example: include_str!("../../../../schemas/openapi/examples/terms.json"),
    }

    columns {
        terms_id: Uuid, Shown, "Id of this version of the terms.";
        terms_version: String, Shown, "Name of the version, which orders accept.";
        valid_from: DateTime<Utc>, Shown, "When it comes into force.";
        title_nb: String, Shown, "Title in Norwegian (bokmål).";
        title_en: String, Shown, "Title in English.";
        text_nb: String, Shown, "Text in Norwegian (bokmål), in lines.";
        text_en: String, Shown, "Text in English, in lines.";
        declaration_nb: String, Shown, "What the customer declares, in Norwegian (bokmål).";
        declaration_en: String, Shown, "What the customer declares, in English.";
        created_at: DateTime<Utc>, Shown, "When it was published.";
        version: i64, Shown, "Sequence of its event among those of the terms.";
        position: i64, Internal, "Log position of that event.";
    }

    computed {
        // Versions come into force by themselves, so what is current is found when it is asked for.
        status after valid_from: Word<TermsStatus> = "(case when valid_from > now() then 'upcoming'
              when exists (select from terms as newer where newer.valid_from <= now()
                and (newer.valid_from, newer.version) > (terms.valid_from, terms.version)) then 'outdated'
              else 'current' end)", "Whether it is in force. An outdated version is accepted for 24 hours more.";
    }

    sorts {
        Sort::moment("in_force", "(case when valid_from <= now() then valid_from else valid_from - interval '1000 years' end)", small_table());
    }

    filters {
        Filter::word(
            "status",
            TermsStatus::texts,
            "(case when valid_from > now() then 'upcoming'
              when exists (select from terms as newer where newer.valid_from <= now()
                and (newer.valid_from, newer.version) > (terms.valid_from, terms.version)) then 'outdated'
              else 'current' end) = ?",
            small_table(),
            "In this status.",
        );
    }
}
