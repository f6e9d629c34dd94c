//! The most important lines of the matrix once more, written by hand: the table itself could be wrong.

use serde_json::Value;
use system_tests::eventually;

use crate::people::Person::{
    Admin, Anonymous, AnotherCustomer, Organizer, OrganizerOfAnotherClub, Owner, Staff,
};
use crate::people::{Person, World};

/// Method, path, and the status by person.
type Row = (&'static str, &'static str, &'static [(Person, u16)]);

#[rustfmt::skip]
const EXPECTED: &[Row] = &[
    ("GET", "/api/v1/orders/{order_id}", &[
        (Owner, 200), (AnotherCustomer, 404), (Organizer, 200), (OrganizerOfAnotherClub, 404), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/licenses/{license_id}", &[
        (Owner, 200), (AnotherCustomer, 404), (Organizer, 200), (OrganizerOfAnotherClub, 404), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/orders/{order_id}/timeline", &[
        (Owner, 404), (AnotherCustomer, 404), (Organizer, 404), (OrganizerOfAnotherClub, 404), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/users", &[
        (Owner, 404), (Organizer, 404), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/batches", &[
        (Owner, 404), (Organizer, 404), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/activities", &[
        (Owner, 200), (Organizer, 200), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/licenses/outline", &[
        (Owner, 200), (AnotherCustomer, 200), (Organizer, 200), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/reports/sales", &[
        (Owner, 404), (Organizer, 404), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("GET", "/api/v1/exports/licenses", &[
        (Owner, 404), (Organizer, 404), (Staff, 200), (Admin, 200), (Anonymous, 401),
    ]),
    ("POST", "/api/v1/licenses/{license_id}/revoke", &[
        (Owner, 403), (Organizer, 403), (Staff, 400), (Admin, 400), (Anonymous, 401),
    ]),
    ("POST", "/api/v1/license-types", &[
        (Owner, 403), (Organizer, 403), (Staff, 400), (Admin, 400), (Anonymous, 401),
    ]),
    ("POST", "/api/v1/users/{user_id}/roles", &[
        (Owner, 403), (Organizer, 403), (Staff, 403), (Admin, 400), (Anonymous, 401),
    ]),
    ("POST", "/api/v1/users/{user_id}/revoke-sessions", &[
        (AnotherCustomer, 404), (Organizer, 404), (Staff, 404), (Anonymous, 401),
    ]),
    ("POST", "/api/v1/webhooks/vipps", &[(Owner, 401), (Staff, 401), (Admin, 401), (Anonymous, 401)]),
    ("GET", "/api/v1/clubs", &[(Owner, 200), (Anonymous, 200)]),
    ("GET", "/api/v1/license-types", &[(Owner, 200), (Anonymous, 200)]),
];

#[tokio::test]
async fn what_matters_most_is_as_written_here() {
    let world = World::open().await;
    let mut wrong = Vec::new();
    for (method, path, expected) in EXPECTED {
        for (person, status) in *expected {
            let token = world.token(*person);
            let answer = if *status == 400 {
                world.ask(method, path, token).await
            } else {
                world.ask_properly(method, path, token).await
            };
            if answer.status.as_u16() != *status {
                wrong.push(format!(
                    "{method} {path} by {person:?}: {status}, and is {} {}",
                    answer.status, answer.text
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.shop.close().await;
}

#[tokio::test]
async fn what_is_hidden_looks_like_what_does_not_exist() {
    let world = World::open().await;
    let hidden = [
        ("/api/v1/orders/{order_id}", AnotherCustomer),
        ("/api/v1/licenses/{license_id}", OrganizerOfAnotherClub),
        ("/api/v1/orders/{order_id}/timeline", Owner),
        ("/api/v1/users/{user_id}", AnotherCustomer),
    ];
    for (path, person) in hidden {
        let there = world.ask("GET", path, world.token(person)).await;
        let nothing = path
            .replace("{order_id}", "{nothing}")
            .replace("{license_id}", "{nothing}");
        let nothing = nothing.replace("{user_id}", "{nothing}");
        let not_there = world.ask("GET", &nothing, world.token(person)).await;
        let same = |answer: &Value| {
            let mut answer = answer.clone();
            answer["request_id"] = Value::Null;
            answer
        };
        assert_eq!(there.status, 404, "{path}");
        assert_eq!(same(&there.body), same(&not_there.body), "{path}");
        let names = |answer: &system_tests::Answer| {
            let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&there), names(&not_there), "{path}");
    }
    world.shop.close().await;
}

#[tokio::test]
async fn lists_hold_what_is_theirs_alone() {
    let world = World::open().await;
    let club = world.shop.clubs[0].to_string();
    eventually("the activity is there", async || {
        let list = world.ask("GET", "/api/v1/activities", world.token(Staff)).await;
        list.text.contains(&club).then_some(())
    })
    .await;
    for (path, key, id) in [
        ("/api/v1/orders", "order_id", &world.order_id),
        ("/api/v1/licenses", "license_id", &world.license_id),
        ("/api/v1/activities", "club_id", &club),
    ] {
        for (person, sees) in [
            // An activity is its organizers'.
            (Owner, path != "/api/v1/activities"),
            (AnotherCustomer, false),
            (Organizer, true),
            (OrganizerOfAnotherClub, false),
            (Staff, true),
            (Admin, true),
        ] {
            let list = world.ask("GET", path, world.token(person)).await.expect(200);
            let listed = list.body["items"].as_array().expect("items");
            let found = listed.iter().any(|row| row[key] == id.as_str());
            assert_eq!(found, sees, "{path} by {person:?}");
        }
    }
    world.shop.close().await;
}
