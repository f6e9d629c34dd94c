//! Clubs: who organizes activities.

use events::{ClubActivated, ClubDeactivated, ClubEvent, ClubRegistered, ClubRenamed, aggregate_type};
use serde::{Deserialize, Serialize};
use vocabulary::ClubStatus;

use crate::aggregate::aggregate;
use crate::refusal::{Refusal, Rule};
use crate::typed::{club_identity, label};

/// A club.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Club {
    name: Option<String>,
    inactive: bool,
}

/// What a club can be asked to do.
#[derive(Clone, Debug)]
pub enum ClubCommand {
    /// Register the club.
    Register {
        /// Name, as people write it.
        name: String,
    },
    /// Change what is given; what stays the same is no event.
    Change {
        /// Name, as people write it.
        name: Option<String>,
        /// Whether it organizes activities.
        status: Option<ClubStatus>,
    },
}

aggregate!(Club: aggregate_type::CLUB, ClubCommand => ClubEvent);

impl Club {
    /// Its name, once registered.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether it organizes activities.
    pub const fn status(&self) -> ClubStatus {
        if self.inactive {
            ClubStatus::Inactive
        } else {
            ClubStatus::Active
        }
    }

    /// What no other club may be called, in any spelling, if `events` gave the club its name.
    pub fn claimed_name(&self, events: &[ClubEvent]) -> Option<String> {
        let names =
            |event: &ClubEvent| matches!(event, ClubEvent::ClubRegistered(_) | ClubEvent::ClubRenamed(_));
        let name = self.name.as_deref().filter(|_| events.iter().any(names))?;
        Some(club_identity(name))
    }

    fn decide(&self, command: ClubCommand) -> Result<Vec<ClubEvent>, Refusal> {
        match command {
            ClubCommand::Register { .. } if self.name.is_some() => Err(Refusal::Exists),
            ClubCommand::Register { name } => Ok(vec![ClubRegistered { name: named(&name)? }.into()]),
            ClubCommand::Change { name, status } => self.change(name.as_deref(), status),
        }
    }

    fn change(&self, name: Option<&str>, status: Option<ClubStatus>) -> Result<Vec<ClubEvent>, Refusal> {
        let before = self.name.as_deref().ok_or(Refusal::Unknown)?;
        let name = name.map(named).transpose()?.filter(|name| name != before);
        let renamed = name.map(|name| ClubRenamed { name }.into());
        let status = status.filter(|status| *status != self.status());
        let changed = status.map(|status| match status {
            ClubStatus::Active => ClubActivated {}.into(),
            ClubStatus::Inactive => ClubDeactivated {}.into(),
        });
        Ok(renamed.into_iter().chain(changed).collect())
    }

    fn evolve(&mut self, event: ClubEvent) {
        match event {
            ClubEvent::ClubRegistered(ClubRegistered { name })
            | ClubEvent::ClubRenamed(ClubRenamed { name }) => {
                self.name = Some(name);
            }
            ClubEvent::ClubDeactivated(_) => self.inactive = true,
            ClubEvent::ClubActivated(_) => self.inactive = false,
        }
    }
}

/// The longest identity that two names are compared by, in characters. A claim holds no more.
const MAX_IDENTITY: usize = 255;

fn named(given: &str) -> Result<String, Refusal> {
    let name = label(given, 120).map_err(|rule| Refusal::field("/name", rule))?;
    // A few characters become many when they are folded.
    if club_identity(&name).chars().count() > MAX_IDENTITY {
        return Err(Refusal::field("/name", Rule::TextTooLong));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use events::{ClubActivated, ClubDeactivated, ClubEvent, ClubRegistered, ClubRenamed};
    use vocabulary::ClubStatus;

    use super::{Club, ClubCommand};
    use crate::{Field, Refusal, Rule};

    fn register(name: &str) -> ClubCommand {
        ClubCommand::Register { name: name.into() }
    }

    #[test]
    fn a_club_is_registered_once() {
        let registered = ClubRegistered {
            name: "Bodø Gokartklubb".into(),
        };
        TestFramework::<Club>::with(())
            .given_no_previous_events()
            .when(register("  Bodø\u{a0} Gokartklubb "))
            .then_expect_events(vec![registered.clone().into()]);
        TestFramework::<Club>::with(())
            .given(vec![registered.into()])
            .when(register("Bodø Gokartklubb"))
            .then_expect_error(Refusal::Exists);
    }

    fn change(name: Option<&str>, status: Option<ClubStatus>) -> ClubCommand {
        let name = name.map(str::to_owned);
        ClubCommand::Change { name, status }
    }

    #[test]
    fn a_change_records_what_differs_and_nothing_else() {
        let registered: ClubEvent = ClubRegistered {
            name: "NMK Bodø".into(),
        }
        .into();
        let renamed = || ClubRenamed {
            name: "NMK Salten".into(),
        };
        for (command, events) in [
            (change(None, None), vec![]),
            (change(Some(" NMK  Bodø"), Some(ClubStatus::Active)), vec![]),
            (change(Some("NMK Salten"), None), vec![renamed().into()]),
            (
                change(Some("NMK Salten"), Some(ClubStatus::Inactive)),
                vec![renamed().into(), ClubDeactivated {}.into()],
            ),
        ] {
            TestFramework::<Club>::with(())
                .given(vec![registered.clone()])
                .when(command)
                .then_expect_events(events);
        }
        TestFramework::<Club>::with(())
            .given(vec![registered, ClubDeactivated {}.into()])
            .when(change(None, Some(ClubStatus::Active)))
            .then_expect_events(vec![ClubActivated {}.into()]);
        TestFramework::<Club>::with(())
            .given_no_previous_events()
            .when(change(Some("NMK Salten"), None))
            .then_expect_error(Refusal::Unknown);
    }

    #[test]
    fn a_name_that_folds_into_more_than_a_claim_holds_is_too_long() {
        TestFramework::<Club>::with(())
            .given_no_previous_events()
            .when(register(&"\u{fdfa}".repeat(120)))
            .then_expect_error(Refusal::field("/name", Rule::TextTooLong));
    }

    #[test]
    fn a_club_needs_a_proper_name() {
        for (name, rule) in [
            (" ", Rule::Required),
            ("a\u{0}b", Rule::Text),
            ("\u{3164}\u{3164}", Rule::TextInvisible),
            (&"x".repeat(121), Rule::TextTooLong),
        ] {
            TestFramework::<Club>::with(())
                .given_no_previous_events()
                .when(register(name))
                .then_expect_error(Refusal::Invalid(vec![Field {
                    pointer: "/name".into(),
                    rule,
                }]));
        }
    }
}
