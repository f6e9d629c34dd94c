//! Users: contact data, roles and sessions, through both APIs and on two instances of each.

#![expect(clippy::expect_used, reason = "a test that fails says so by panicking")]

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use stack::{Options, Port, Process, Role};
use system_tests::{Answer, Shop, answer, eventually, eventually_within};
use tokio::process::Child;
use uuid::Uuid;

/// How soon a change holds everywhere.
const PROMISED: Duration = Duration::from_secs(1);

async fn patch_me(shop: &Shop, token: &str, key: &str, body: &Value) -> Answer {
    let url = format!("{}/api/v1/users/me", shop.system.command_api_url());
    let request = shop.http().request(Method::PATCH, url).bearer_auth(token);
    let request = request.header("Idempotency-Key", key).json(body);
    answer(request).await.expect("an answer")
}

/// Someone with a token of that role.
fn someone(shop: &Shop, role: Role, name: &str) -> String {
    let issuer = shop.system.issuer();
    issuer
        .token(role, name, &[], TimeDelta::hours(1))
        .expect("a token")
}

/// The id of the bearer, by an own command.
async fn id_of(shop: &Shop, token: &str) -> String {
    let changed = patch_me(shop, token, "id", &json!({"language": "nb"})).await;
    changed.expect(200).text_at("/user_id").to_owned()
}

#[tokio::test]
async fn contact_data_is_ones_own_and_staff_finds_it() {
    let shop = Shop::open(Options::default()).await;
    let (customer, staff) = (&shop.tokens.customer, &shop.tokens.staff);
    shop.get("/users/me", customer).await.expect(404);
    let contact =
        json!({"name": " Kari  Nordmann", "email": "kari@example.no", "phone": "90000000", "language": "nb"});
    let changed = patch_me(&shop, customer, "contact", &contact).await.expect(200);
    assert!(
        !changed.text.contains("Kari"),
        "a stored answer has no personal data: {}",
        changed.text
    );
    let again = patch_me(&shop, customer, "contact", &contact).await.expect(200);
    assert_eq!(
        (again.text.as_str(), again.header("idempotency-replayed")),
        (changed.text.as_str(), Some("true"))
    );
    let at = changed.position();
    let me = shop
        .get(&format!("/users/me?min_position={at}"), customer)
        .await
        .expect(200);
    assert_eq!(me.text_at("/name"), "Kari Nordmann");
    assert_eq!((me.text_at("/language"), &me.body["roles"]), ("nb", &Value::Null));
    let user_id = changed.text_at("/user_id");
    shop.get(&format!("/users/{user_id}"), staff).await.expect(200);
    shop.get(&format!("/users/{user_id}"), customer).await.expect(404);
    for (q, found) in [("nordm", 1), ("kari@example", 1), ("900 00 000", 1), ("ola", 0)] {
        let page = shop
            .get(&format!("/users?q={q}&count=true"), staff)
            .await
            .expect(200);
        assert_eq!(page.body["total"], found, "{q}: {}", page.text);
    }

    let removed = patch_me(&shop, customer, "removed", &json!({"email": null}))
        .await
        .expect(200);
    let at = removed.position();
    let me = shop
        .get(&format!("/users/me?min_position={at}"), customer)
        .await
        .expect(200);
    assert_eq!(
        (&me.body["email"], me.text_at("/name")),
        (&Value::Null, "Kari Nordmann")
    );
    for (key, body, pointer, code) in [
        ("email", json!({"email": "kari"}), "/email", "email_invalid"),
        ("phone", json!({"phone": "1"}), "/phone", "phone_invalid"),
        (
            "name",
            json!({"name": "01010750160"}),
            "/name",
            "national_identity_number",
        ),
    ] {
        let refused = patch_me(&shop, customer, key, &body).await.expect(422);
        let error = &refused.body["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code))
        );
    }
    for (key, body) in [
        ("other", json!({"user_id": Uuid::nil()})),
        ("language", json!({"language": "sv"})),
    ] {
        patch_me(&shop, customer, key, &body).await.expect(400);
    }
    shop.close().await;
}

/// A second query-api beside the system's.
struct SecondQueryApi {
    url: String,
    _child: Child,
    _ports: [Port; 2],
}

impl SecondQueryApi {
    async fn start(shop: &Shop) -> Self {
        let (port, ops) = (Port::any().expect("a port"), Port::any().expect("a port"));
        let mut command = shop
            .system
            .command(Process::QueryApi, &["serve"])
            .expect("a command");
        let child = command
            .env("LISTEN", port.address())
            .env("OPS_LISTEN", ops.address())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let ops_url = ops.http_url();
        eventually("the second query-api is ready", async || {
            let ready = shop.ops(&ops_url, "health/ready").await.ok()?;
            ready.status.is_success().then_some(())
        })
        .await;
        Self {
            url: port.http_url(),
            _child: child,
            _ports: [port, ops],
        }
    }
}

/// Both instances of both APIs.
struct Instances {
    commands: [String; 2],
    queries: [String; 2],
    _second: SecondQueryApi,
}

impl Instances {
    async fn of(shop: &Shop) -> Self {
        let second = SecondQueryApi::start(shop).await;
        Self {
            commands: [
                shop.system.command_api_url(),
                shop.system.second_command_api_url().expect("a second instance"),
            ],
            queries: [shop.system.query_api_url(), second.url.clone()],
            _second: second,
        }
    }

    /// Waits, a second at most, until all four answer staff's routes with these statuses.
    async fn answer(&self, shop: &Shop, token: &str, [command, query]: [u16; 2], when: &str) {
        let commands = self.commands.iter().map(|url| (url, true, command));
        let queries = self.queries.iter().map(|url| (url, false, query));
        let all: Vec<_> = commands.chain(queries).collect();
        eventually_within(PROMISED, when, async || {
            for (url, is_command, status) in &all {
                let found = if *is_command {
                    // A body that no command has: who may, learns that.
                    let request = shop.http().post(format!("{url}/api/v1/license-types"));
                    let request = request.header("Idempotency-Key", "x").json(&json!({"x": 1}));
                    answer(request.bearer_auth(token)).await
                } else {
                    answer(shop.http().get(format!("{url}/api/v1/users")).bearer_auth(token)).await
                };
                if found.ok()?.status.as_u16() != *status {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }
}

#[tokio::test]
async fn roles_and_revoked_sessions_hold_everywhere_within_a_second() {
    let options = Options {
        second_command_api: true,
        ..Options::default()
    };
    let shop = Shop::open(options).await;
    let instances = Instances::of(&shop).await;
    let admin = &shop.tokens.admin;
    let person = someone(&shop, Role::Customer, "promoted");
    let user_id = id_of(&shop, &person).await;
    let path = format!("/users/{user_id}/roles");
    let set = async |key: &str, body: Value| shop.post(&path, admin, key, &body).await;

    instances
        .answer(&shop, &person, [403, 404], "a customer is no staff")
        .await;
    set("up", json!({"roles": ["staff"]})).await.expect(200);
    instances
        .answer(&shop, &person, [400, 200], "staff by the log, with the old token")
        .await;
    set("down", json!({"roles": ["customer"]})).await.expect(200);
    instances
        .answer(&shop, &person, [403, 404], "no staff any more")
        .await;

    // A token that says staff counts for nothing against the log.
    let staff_by_token = someone(&shop, Role::Staff, "promoted");
    instances
        .answer(
            &shop,
            &staff_by_token,
            [403, 404],
            "the log goes before the token",
        )
        .await;

    set("up-again", json!({"roles": ["staff", "customer"]}))
        .await
        .expect(200);
    instances.answer(&shop, &person, [400, 200], "staff again").await;
    let revoke = format!("/users/{user_id}/revoke-sessions");
    shop.post(&revoke, admin, "revoke", &json!({})).await.expect(200);
    instances
        .answer(&shop, &person, [401, 401], "the session has ended")
        .await;
    let refused = shop.get("/users/me", &person).await;
    assert_eq!(refused.text_at("/code"), "token_revoked");
    eventually("a new login works", async || {
        let again = someone(&shop, Role::Customer, "promoted");
        let answer = shop.get("/users/me", &again).await;
        answer.status.is_success().then_some(())
    })
    .await;
    shop.close().await;
}

#[tokio::test]
async fn roles_are_given_by_administrators_with_the_clubs_that_exist() {
    let shop = Shop::open(Options::default()).await;
    let admin = &shop.tokens.admin;
    let person = someone(&shop, Role::Customer, "organizer-to-be");
    let user_id = id_of(&shop, &person).await;
    let path = format!("/users/{user_id}/roles");
    let [club, other] = shop.clubs;
    let organizer = json!({"roles": ["organizer"], "club_ids": [club]});

    for token in [&shop.tokens.customer, &shop.tokens.organizer, &shop.tokens.staff] {
        shop.post(&path, token, "who", &organizer).await.expect(403);
    }
    for (key, body, pointer, code) in [
        ("none", json!({"roles": []}), "/roles", "required"),
        (
            "no-clubs",
            json!({"roles": ["organizer"]}),
            "/club_ids",
            "organizer_clubs_required",
        ),
        (
            "no-organizer",
            json!({"roles": ["staff"], "club_ids": [club]}),
            "/club_ids",
            "clubs_without_organizer",
        ),
        (
            "no-club",
            json!({"roles": ["organizer"], "club_ids": [club, Uuid::nil()]}),
            "/club_ids/1",
            "club_unknown",
        ),
    ] {
        let refused = shop.post(&path, admin, key, &body).await.expect(422);
        let error = &refused.body["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!(pointer), &json!(code)),
            "{key}"
        );
    }
    shop.post(&path, admin, "king", &json!({"roles": ["king"]}))
        .await
        .expect(400);
    let own = patch_me(&shop, admin, "own", &json!({})).await.expect(200);
    let own = format!("/users/{}/roles", own.text_at("/user_id"));
    let refused = shop
        .post(&own, admin, "own", &json!({"roles": ["staff"]}))
        .await
        .expect(409);
    assert_eq!(refused.text_at("/code"), "own_admin_role");

    let set = shop.post(&path, admin, "organizer", &organizer).await.expect(200);
    let list = format!("/users?role=organizer&min_position={}", set.position());
    let page = shop.get(&list, &shop.tokens.staff).await.expect(200);
    let items = page.body["items"].as_array().expect("items");
    assert_eq!(items.len(), 1, "{}", page.text);
    assert_eq!(items[0]["club_ids"], json!([club]));

    // An order at the organizer's club is theirs to see, and one at another club is not.
    let placed = shop.place("seen", &shop.order_for("Kari Sett")).await.expect(201);
    let mut order = shop.order_for("Kari Usett");
    order["lines"][0]["club_id"] = json!(other);
    let elsewhere = shop.place("unseen", &order).await.expect(201);
    for (placed, status) in [(&placed, 200), (&elsewhere, 404)] {
        let (id, at) = (placed.text_at("/order_id"), placed.position());
        shop.get(&format!("/orders/{id}?min_position={at}"), &person)
            .await
            .expect(status);
    }
    shop.close().await;
}

#[tokio::test]
async fn sessions_are_ended_by_oneself_and_by_administrators_alone() {
    let shop = Shop::open(Options::default()).await;
    let person = someone(&shop, Role::Customer, "leaver");
    let user_id = id_of(&shop, &person).await;
    let path = format!("/users/{user_id}/revoke-sessions");
    for token in [&shop.tokens.customer, &shop.tokens.organizer, &shop.tokens.staff] {
        shop.post(&path, token, "who", &json!({})).await.expect(404);
    }
    shop.post(&path, &person, "own", &json!({})).await.expect(200);
    let refused = shop.post(&path, &person, "own", &json!({})).await.expect(401);
    assert_eq!(refused.text_at("/code"), "token_revoked");
    shop.close().await;
}
