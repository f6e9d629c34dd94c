//! `users`.

use envelope::{Personal, RecordedEvent};
use events::{UserContactChanged, UserEvent};
use read_model::write::UserRow;
use read_model::{Term, searched};

use super::facts;
use super::slot::stamp;
use crate::bounds;
use crate::misfit::Misfit;

/// Any of the events can be the first.
pub(super) fn apply(
    slot: &mut Option<UserRow>,
    recorded: &RecordedEvent,
    event: UserEvent,
) -> Result<(), Misfit> {
    let mut row = slot.clone().unwrap_or_else(|| unknown(recorded));
    match event {
        UserEvent::UserContactChanged(contact) => change_contact(&mut row, contact),
        UserEvent::UserErased(_) => change_contact(&mut row, UserContactChanged::default()),
        UserEvent::UserRolesSet(access) => {
            row.roles = Some(
                access
                    .roles
                    .iter()
                    .map(|role| <&str>::from(role).to_owned())
                    .collect(),
            );
            row.club_ids = access.club_ids;
        }
        UserEvent::UserSessionsRevoked(revoked) => {
            row.sessions_revoked_at = Some(bounds::moment(revoked.revoked_at, "revoked_at")?);
        }
    }
    row.updated_at = recorded.recorded_at;
    (row.version, row.position) = stamp(recorded);
    *slot = Some(row);
    Ok(())
}

fn unknown(recorded: &RecordedEvent) -> UserRow {
    let (version, position) = stamp(recorded);
    UserRow {
        user_id: recorded.aggregate_id,
        name: None,
        email: None,
        phone: None,
        language: None,
        roles: None,
        club_ids: Vec::new(),
        sessions_revoked_at: None,
        search: String::new(),
        created_at: recorded.recorded_at,
        updated_at: recorded.recorded_at,
        version,
        position,
    }
}

fn change_contact(row: &mut UserRow, contact: UserContactChanged) {
    let terms = [
        facts::clear(contact.name.as_ref()).map(Term::Words),
        facts::clear(contact.email.as_ref()).map(Term::Words),
        facts::clear(contact.phone.as_ref()).map(Term::Phone),
    ];
    row.search = searched(terms.into_iter().flatten());
    row.name = contact.name.map(Personal::into_exposed);
    row.email = contact.email.map(Personal::into_exposed);
    row.phone = contact.phone.map(Personal::into_exposed);
    row.language = contact.language.map(Into::into);
}
