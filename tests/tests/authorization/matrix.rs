//! The policy table against the running APIs: each route of the OpenAPI documents, for each person and each forged token.

use std::collections::BTreeSet;

use policy::POLICY;
use serde_json::Value;
use service::auth::{Rule, Who};
use system_tests::Answer;

use crate::forged;
use crate::people::{Person, World};

/// What the table says of a person and a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The request is judged by what it asks.
    Admitted,
    /// 401
    LogIn,
    /// 403
    Forbidden,
    /// 404
    Hidden,
}

/// Whose the thing is that the paths of this test name: the owner's, and of the organizer's club.
fn expected(rule: Rule, person: Person) -> Expected {
    use Expected::{Admitted, Forbidden, Hidden, LogIn};
    let command = rule.method != "GET";
    let role_refused = if command { Forbidden } else { Hidden };
    let admitted_if = |admitted: bool, otherwise| if admitted { Admitted } else { otherwise };
    #[expect(clippy::match_same_arms, reason = "a table by what a row says")]
    match (rule.who, person) {
        (Who::Public, _) => Admitted,
        // Neither a login nor a person counts: see below.
        (Who::Provider, _) => LogIn,
        (Who::Capability, _) => Hidden,
        (_, Person::Anonymous) => LogIn,
        (Who::Anyone, _) => Admitted,
        (Who::Staff, _) => admitted_if(person.is_staff(), role_refused),
        (Who::Admin, _) => admitted_if(person == Person::Admin, role_refused),
        (Who::Owner, _) => admitted_if(person == Person::Owner, Hidden),
        (Who::OwnerOrStaff, _) => admitted_if(person == Person::Owner || person.is_staff(), Hidden),
        (Who::OwnerOrAdmin, _) => admitted_if(matches!(person, Person::Owner | Person::Admin), Hidden),
        (Who::OrganizerOfClub, Person::OrganizerOfAnotherClub) => Hidden,
        (Who::OrganizerOfClub, _) => admitted_if(person == Person::Organizer || person.is_staff(), Forbidden),
        (Who::Theirs, _) => {
            let theirs = matches!(person, Person::Owner | Person::Organizer) || person.is_staff();
            // A list is there for everyone, with what is theirs in it.
            admitted_if(theirs || !rule.path.contains('{'), Hidden)
        }
    }
}

fn is(answer: &Answer, expected: Expected) -> bool {
    let status = answer.status.as_u16();
    match expected {
        Expected::Admitted => !matches!(status, 401 | 403) && status < 500,
        Expected::LogIn => status == 401,
        Expected::Forbidden => status == 403,
        Expected::Hidden => status == 404,
    }
}

/// Every operation of both documents.
fn documented() -> BTreeSet<(String, String)> {
    let mut operations = BTreeSet::new();
    for document in [
        include_str!("../../../schemas/openapi/command.json"),
        include_str!("../../../schemas/openapi/query.json"),
    ] {
        let document: Value = serde_json::from_str(document).expect("a document");
        for (path, item) in document["paths"].as_object().expect("paths") {
            for method in item.as_object().expect("an item").keys() {
                operations.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    operations
}

/// The rows of the table that are routes.
fn routes() -> Vec<Rule> {
    let documented = documented();
    let is_route = |rule: &&Rule| documented.contains(&(rule.method.to_owned(), rule.path.to_owned()));
    POLICY.iter().filter(is_route).copied().collect()
}

#[test]
fn every_route_has_one_row() {
    for (method, path) in documented() {
        let rows = POLICY
            .iter()
            .filter(|rule| (rule.method, rule.path) == (&*method, &*path));
        assert_eq!(rows.count(), 1, "{method} {path}");
    }
    assert!(routes().len() > 20, "{}", routes().len());
}

#[tokio::test]
async fn everyone_may_do_what_the_table_says_and_nothing_else() {
    let world = World::open().await;
    let mut wrong = Vec::new();
    for rule in routes() {
        for person in Person::ALL {
            let expected = expected(rule, person);
            let token = world.token(person);
            let answer = if expected == Expected::Admitted {
                world.ask(rule.method, rule.path, token).await
            } else {
                world.ask_properly(rule.method, rule.path, token).await
            };
            // What the capability's handler finds wrong with no capability is its own business; it lets no one in.
            let fine = if rule.who == Who::Capability {
                matches!(answer.status.as_u16(), 400 | 401 | 404)
            } else {
                is(&answer, expected)
            };
            if !fine {
                let Rule { method, path, who } = rule;
                wrong.push(format!(
                    "{method} {path} ({who:?}) by {person:?}: {expected:?}, and is {} {}",
                    answer.status, answer.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.shop.close().await;
}

#[tokio::test]
async fn a_forged_token_opens_no_route_and_closes_no_public_one() {
    let world = World::open().await;
    let forged = forged::all(&world.shop).await;
    let mut wrong = Vec::new();
    for rule in routes() {
        for forged in &forged {
            let answer = world.ask(rule.method, rule.path, Some(&forged.token)).await;
            let fine = match rule.who {
                Who::Public => answer.status != 401,
                Who::Provider | Who::Capability => !answer.status.is_success(),
                _ => answer.status == 401 && answer.body["code"] == forged.code,
            };
            if !fine {
                let (Rule { method, path, .. }, what) = (rule, forged.what);
                wrong.push(format!(
                    "{method} {path} with a token that is {what}: {}",
                    answer.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.shop.close().await;
}
