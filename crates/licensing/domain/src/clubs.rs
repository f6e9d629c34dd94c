//! Clubs: who organizes activities.

use events::{ClubEvent, ClubRegistered, aggregate_type};
use serde::{Deserialize, Serialize};

use crate::aggregate::aggregate;
use crate::refusal::Refusal;
use crate::typed::label;

/// A club.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Club {
    name: Option<String>,
}

/// What a club can be asked to do.
#[derive(Clone, Debug)]
pub enum ClubCommand {
    /// Register the club.
    Register {
        /// Name, as people write it.
        name: String,
    },
}

aggregate!(Club: aggregate_type::CLUB, ClubCommand => ClubEvent);

impl Club {
    /// Its name, once registered.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn decide(&self, command: ClubCommand) -> Result<Option<ClubEvent>, Refusal> {
        let ClubCommand::Register { name } = command;
        if self.name.is_some() {
            return Err(Refusal::Exists);
        }
        let name = label(&name, 120).map_err(|rule| Refusal::field("/name", rule))?;
        Ok(Some(ClubRegistered { name }.into()))
    }

    fn evolve(&mut self, event: ClubEvent) {
        let ClubEvent::ClubRegistered(ClubRegistered { name }) = event;
        self.name = Some(name);
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use events::ClubRegistered;

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
