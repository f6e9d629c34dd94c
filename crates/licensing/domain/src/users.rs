//! Users: their contact data, their roles, and the end of their sessions.

use chrono::{DateTime, Utc};
use envelope::Personal;
use events::{UserContactChanged, UserErased, UserEvent, UserRolesSet, UserSessionsRevoked, aggregate_type};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::{Language, UserRole};

use crate::aggregate::aggregate;
use crate::findings::Findings;
use crate::refusal::{Refusal, Rule};
use crate::typed;

/// The most clubs that one organizer acts for.
pub const MAX_CLUBS: usize = 50;

/// A user. One exists for everyone who can log in, without a first event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    contact: UserContactChanged,
    /// What an administrator has said; nothing while the roles of tokens count.
    access: Option<UserRolesSet>,
    sessions_revoked_at: Option<DateTime<Utc>>,
}

/// A change of contact data: what is absent stays, what is there replaces, and `None` in it removes.
#[derive(Clone, Default)]
pub struct ContactChange {
    /// Full name.
    pub name: Option<Option<String>>,
    /// E-mail address.
    pub email: Option<Option<String>>,
    /// Phone.
    pub phone: Option<Option<String>>,
    /// The language of letters.
    pub language: Option<Option<Language>>,
}

/// What a user can be asked to do.
#[derive(Clone)]
pub enum UserCommand {
    /// Change contact data.
    ChangeContact(ContactChange),
    /// Say which roles the user has.
    SetRoles {
        /// All roles.
        roles: Vec<UserRole>,
        /// The clubs that an organizer acts for.
        club_ids: Vec<Uuid>,
        /// Who says so.
        by: Uuid,
        /// Whom it is about.
        user_id: Uuid,
    },
    /// Forget the contact data.
    Erase,
    /// End all sessions.
    RevokeSessions {
        /// Tokens from before this moment end.
        now: DateTime<Utc>,
    },
}

aggregate!(User: aggregate_type::USER, UserCommand => UserEvent);

impl User {
    /// The contact data.
    pub const fn contact(&self) -> &UserContactChanged {
        &self.contact
    }

    /// The roles that an administrator has given; nothing while those of tokens count.
    pub const fn access(&self) -> Option<&UserRolesSet> {
        self.access.as_ref()
    }

    /// From when on tokens are accepted, if all from before have ended.
    pub const fn sessions_revoked_at(&self) -> Option<DateTime<Utc>> {
        self.sessions_revoked_at
    }

    fn decide(&self, command: UserCommand) -> Result<Option<UserEvent>, Refusal> {
        match command {
            UserCommand::ChangeContact(change) => {
                let contact = self.changed(change)?;
                Ok((contact != self.contact).then(|| contact.into()))
            }
            UserCommand::SetRoles {
                roles,
                club_ids,
                by,
                user_id,
            } => {
                let access = access(roles, club_ids)?;
                // An administrator less is decided by another one, so that one always stays to decide it.
                if by == user_id && !access.roles.contains(&UserRole::Admin) {
                    return Err(Refusal::OwnAdminRole);
                }
                Ok((self.access.as_ref() != Some(&access)).then(|| access.into()))
            }
            UserCommand::Erase => {
                let known = self.contact != UserContactChanged::default();
                Ok(known.then(|| UserErased {}.into()))
            }
            UserCommand::RevokeSessions { now } => {
                let later = self.sessions_revoked_at.is_none_or(|before| before < now);
                Ok(later.then(|| UserSessionsRevoked { revoked_at: now }.into()))
            }
        }
    }

    fn changed(&self, change: ContactChange) -> Result<UserContactChanged, Refusal> {
        type Check = fn(&str) -> Result<String, Rule>;
        let mut findings = Findings::new();
        let mut keep =
            |pointer: &str, now: &Option<Personal<String>>, given: Option<Option<String>>, check: Check| {
                match given {
                    None => now.clone(),
                    Some(given) => findings.keep_optional(pointer.to_owned(), given.as_ref(), check),
                }
            };
        let name = keep("/name", &self.contact.name, change.name, typed::person_name);
        let email = keep("/email", &self.contact.email, change.email, typed::email);
        let phone = keep("/phone", &self.contact.phone, change.phone, typed::phone);
        findings.refuse()?;
        Ok(UserContactChanged {
            name,
            email,
            phone,
            language: change.language.unwrap_or(self.contact.language),
        })
    }

    fn evolve(&mut self, event: UserEvent) {
        match event {
            UserEvent::UserContactChanged(contact) => self.contact = contact,
            UserEvent::UserErased(UserErased {}) => self.contact = UserContactChanged::default(),
            UserEvent::UserRolesSet(access) => self.access = Some(access),
            UserEvent::UserSessionsRevoked(UserSessionsRevoked { revoked_at }) => {
                self.sessions_revoked_at = Some(revoked_at);
            }
        }
    }
}

/// The roles in the order of the vocabulary and the clubs in the order of their ids, if they go together.
fn access(mut roles: Vec<UserRole>, mut club_ids: Vec<Uuid>) -> Result<UserRolesSet, Refusal> {
    roles.sort_unstable();
    roles.dedup();
    club_ids.sort_unstable();
    club_ids.dedup();
    let mut findings = Findings::new();
    if roles.is_empty() {
        findings.add("/roles".into(), Rule::Required);
    }
    let organizer = roles.contains(&UserRole::Organizer);
    if organizer && club_ids.is_empty() {
        findings.add("/club_ids".into(), Rule::OrganizerClubs);
    }
    if !organizer && !club_ids.is_empty() {
        findings.add("/club_ids".into(), Rule::ClubsWithoutOrganizer);
    }
    if club_ids.len() > MAX_CLUBS {
        findings.add("/club_ids".into(), Rule::TooManyClubs);
    }
    findings.refuse()?;
    Ok(UserRolesSet { roles, club_ids })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use cqrs_es::test::TestFramework;
    use envelope::Personal;
    use events::{UserContactChanged, UserRolesSet, UserSessionsRevoked};
    use uuid::Uuid;
    use vocabulary::{Language, UserRole};

    use super::{ContactChange, MAX_CLUBS, User, UserCommand};
    use crate::{Field, Refusal, Rule};

    const ADMIN: Uuid = Uuid::from_u128(1);
    const USER: Uuid = Uuid::from_u128(2);
    const CLUB: Uuid = Uuid::from_u128(3);

    fn kari() -> UserContactChanged {
        UserContactChanged {
            name: Some(Personal::new("Kari Nordmann".into())),
            email: Some(Personal::new("kari@example.no".into())),
            phone: None,
            language: Some(Language::Nb),
        }
    }

    fn set(roles: &[UserRole], club_ids: &[Uuid]) -> UserCommand {
        UserCommand::SetRoles {
            roles: roles.to_vec(),
            club_ids: club_ids.to_vec(),
            by: ADMIN,
            user_id: USER,
        }
    }

    fn has(roles: &[UserRole], club_ids: &[Uuid]) -> UserRolesSet {
        UserRolesSet {
            roles: roles.to_vec(),
            club_ids: club_ids.to_vec(),
        }
    }

    fn invalid(pointer: &str, rule: Rule) -> Refusal {
        Refusal::Invalid(vec![Field {
            pointer: pointer.into(),
            rule,
        }])
    }

    #[test]
    fn contact_data_changes_in_what_is_given() {
        let change = ContactChange {
            name: Some(Some("  Kari   Nordmann ".into())),
            email: Some(Some("kari@example.no".into())),
            phone: None,
            language: Some(Some(Language::Nb)),
        };
        TestFramework::<User>::with(())
            .given_no_previous_events()
            .when(UserCommand::ChangeContact(change))
            .then_expect_events(vec![kari().into()]);
        let change = ContactChange {
            email: Some(None),
            ..ContactChange::default()
        };
        let without = UserContactChanged {
            email: None,
            ..kari()
        };
        TestFramework::<User>::with(())
            .given(vec![kari().into()])
            .when(UserCommand::ChangeContact(change))
            .then_expect_events(vec![without.into()]);
    }

    #[test]
    fn what_is_said_already_is_no_event() {
        TestFramework::<User>::with(())
            .given(vec![kari().into()])
            .when(UserCommand::ChangeContact(ContactChange::default()))
            .then_expect_events(vec![]);
        TestFramework::<User>::with(())
            .given(vec![has(&[UserRole::Staff], &[]).into()])
            .when(set(&[UserRole::Staff, UserRole::Staff], &[]))
            .then_expect_events(vec![]);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let change = ContactChange {
            name: Some(Some("Kari 😀".into())),
            email: Some(Some("kari".into())),
            phone: Some(Some("1".into())),
            language: None,
        };
        let fields = [
            ("/name", Rule::NameCharacters),
            ("/email", Rule::Email),
            ("/phone", Rule::Phone),
        ];
        let fields = fields.map(|(pointer, rule)| Field {
            pointer: pointer.into(),
            rule,
        });
        TestFramework::<User>::with(())
            .given_no_previous_events()
            .when(UserCommand::ChangeContact(change))
            .then_expect_error(Refusal::Invalid(fields.into()));
    }

    #[test]
    fn organizers_and_only_they_have_clubs() {
        TestFramework::<User>::with(())
            .given_no_previous_events()
            .when(set(&[UserRole::Organizer], &[CLUB, CLUB]))
            .then_expect_events(vec![has(&[UserRole::Organizer], &[CLUB]).into()]);
        for (command, refusal) in [
            (set(&[], &[]), invalid("/roles", Rule::Required)),
            (
                set(&[UserRole::Organizer], &[]),
                invalid("/club_ids", Rule::OrganizerClubs),
            ),
            (
                set(&[UserRole::Staff], &[CLUB]),
                invalid("/club_ids", Rule::ClubsWithoutOrganizer),
            ),
            (
                set(
                    &[UserRole::Organizer],
                    &(0..=MAX_CLUBS as u128).map(Uuid::from_u128).collect::<Vec<_>>(),
                ),
                invalid("/club_ids", Rule::TooManyClubs),
            ),
        ] {
            TestFramework::<User>::with(())
                .given_no_previous_events()
                .when(command)
                .then_expect_error(refusal);
        }
    }

    #[test]
    fn nobody_takes_the_admin_role_from_themselves() {
        let of_oneself = |roles: &[UserRole]| UserCommand::SetRoles {
            roles: roles.to_vec(),
            club_ids: Vec::new(),
            by: ADMIN,
            user_id: ADMIN,
        };
        TestFramework::<User>::with(())
            .given(vec![has(&[UserRole::Admin], &[]).into()])
            .when(of_oneself(&[UserRole::Staff]))
            .then_expect_error(Refusal::OwnAdminRole);
        TestFramework::<User>::with(())
            .given_no_previous_events()
            .when(of_oneself(&[UserRole::Admin, UserRole::Staff]))
            .then_expect_events(vec![has(&[UserRole::Staff, UserRole::Admin], &[]).into()]);
        TestFramework::<User>::with(())
            .given(vec![has(&[UserRole::Admin], &[]).into()])
            .when(set(&[UserRole::Customer], &[]))
            .then_expect_events(vec![has(&[UserRole::Customer], &[]).into()]);
    }

    #[test]
    fn sessions_end_at_a_moment_that_never_moves_back() {
        let moment = DateTime::<Utc>::UNIX_EPOCH;
        let revoked = |revoked_at| UserSessionsRevoked { revoked_at };
        TestFramework::<User>::with(())
            .given_no_previous_events()
            .when(UserCommand::RevokeSessions { now: moment })
            .then_expect_events(vec![revoked(moment).into()]);
        TestFramework::<User>::with(())
            .given(vec![revoked(moment).into()])
            .when(UserCommand::RevokeSessions {
                now: moment - TimeDelta::seconds(1),
            })
            .then_expect_events(vec![]);
    }
}
