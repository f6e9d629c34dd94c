//! `terms`: one row for each version, of the one aggregate that has all of them.

use envelope::RecordedEvent;
use events::{TermsEvent, TermsPublished};
use read_model::write::TermsRow;
use uuid::Uuid;

use super::slot::{create, stamp};
use crate::bounds;
use crate::misfit::Misfit;

/// The id of the row of a version.
pub(super) fn row_id(recorded: &RecordedEvent, TermsEvent::TermsPublished(published): &TermsEvent) -> Uuid {
    Uuid::new_v5(&recorded.aggregate_id, published.terms_version.as_bytes())
}

pub(super) fn apply(
    slot: &mut Option<TermsRow>,
    recorded: &RecordedEvent,
    event: TermsEvent,
) -> Result<(), Misfit> {
    let terms_id = row_id(recorded, &event);
    let TermsEvent::TermsPublished(published) = event;
    create(slot, row(terms_id, recorded, published)?)
}

fn row(terms_id: Uuid, recorded: &RecordedEvent, published: TermsPublished) -> Result<TermsRow, Misfit> {
    let (version, position) = stamp(recorded);
    bounds::indexed(&published.terms_version, "terms_version")?;
    Ok(TermsRow {
        terms_id,
        terms_version: published.terms_version,
        valid_from: bounds::moment(published.valid_from, "valid_from")?,
        title_nb: published.title_nb,
        title_en: published.title_en,
        text_nb: published.text_nb,
        text_en: published.text_en,
        declaration_nb: published.declaration_nb,
        declaration_en: published.declaration_en,
        created_at: recorded.recorded_at,
        version,
        position,
    })
}
