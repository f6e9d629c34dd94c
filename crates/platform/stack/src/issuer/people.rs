//! Those who can log in at the local issuer. A real one asks who they are.

use super::key::Role;

/// Someone who can log in.
#[derive(Debug)]
pub(super) struct Person {
    /// The `sub` of their tokens.
    pub(super) subject: &'static str,
    pub(super) name: &'static str,
    pub(super) role: Role,
    /// The role in Norwegian, as the page shows it.
    pub(super) described: &'static str,
}

/// The same five as in `Tokens`.
pub(super) const PEOPLE: [Person; 5] = [
    Person {
        subject: "customer",
        name: "Kari Nordmann",
        role: Role::Customer,
        described: "kunde",
    },
    Person {
        subject: "customer2",
        name: "Ola Nordmann",
        role: Role::Customer,
        described: "en annen kunde",
    },
    Person {
        subject: "organizer",
        name: "Olga Løpsleder",
        role: Role::Organizer,
        described: "arrangør",
    },
    Person {
        subject: "staff",
        name: "Stein Saksbehandler",
        role: Role::Staff,
        described: "ansatt i forbundet",
    },
    Person {
        subject: "admin",
        name: "Anne Administrator",
        role: Role::Admin,
        described: "administrator",
    },
];

/// The person with this subject.
pub(super) fn person(subject: &str) -> Option<&'static Person> {
    PEOPLE.iter().find(|person| person.subject == subject)
}
