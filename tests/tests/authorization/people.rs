//! Who asks, and what they ask about: an order of one customer at one club, with its license.

use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};
use stack::{Options, Role};
use system_tests::{Answer, Shop, answer, eventually};
use uuid::Uuid;

/// Everyone who asks with a token of their own, and who has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    Owner,
    AnotherCustomer,
    Organizer,
    OrganizerOfAnotherClub,
    Staff,
    Admin,
    Anonymous,
}

impl Person {
    pub(crate) const ALL: [Self; 7] = [
        Self::Anonymous,
        Self::AnotherCustomer,
        Self::OrganizerOfAnotherClub,
        Self::Organizer,
        Self::Owner,
        Self::Staff,
        Self::Admin,
    ];

    pub(crate) fn is_staff(self) -> bool {
        matches!(self, Self::Staff | Self::Admin)
    }
}

/// The shop with something in it.
pub(crate) struct World {
    pub(crate) shop: Shop,
    pub(crate) order_id: String,
    pub(crate) license_id: String,
    pub(crate) owner_id: String,
    organizer_of_another_club: String,
}

impl World {
    pub(crate) async fn open() -> Self {
        let shop = Shop::open(Options::default()).await;
        let placed = shop.place("order", &shop.order()).await.expect(201);
        let order_id = placed.text_at("/order_id").to_owned();
        shop.at_provider(&placed, "approve").await;
        let order = shop.order_with_status(&order_id, "fulfilled").await;
        let license = eventually("the license in the read model", async || {
            shop.licenses_of(&order_id).await.into_iter().next()
        })
        .await;
        let other_club = &shop.clubs[1..];
        let issuer = shop.system.issuer();
        let organizer_of_another_club = issuer
            .token(Role::Organizer, "organizer2", other_club, TimeDelta::hours(1))
            .expect("a token");
        Self {
            owner_id: order["customer_id"].as_str().expect("an id").to_owned(),
            license_id: license["license_id"].as_str().expect("an id").to_owned(),
            order_id,
            organizer_of_another_club,
            shop,
        }
    }

    pub(crate) fn token(&self, person: Person) -> Option<&str> {
        let tokens = &self.shop.tokens;
        Some(match person {
            Person::Owner => &tokens.customer,
            Person::AnotherCustomer => &tokens.customer2,
            Person::Organizer => &tokens.organizer,
            Person::OrganizerOfAnotherClub => &self.organizer_of_another_club,
            Person::Staff => &tokens.staff,
            Person::Admin => &tokens.admin,
            Person::Anonymous => return None,
        })
    }

    /// The path with the ids of what there is, and ids of nothing for the rest.
    pub(crate) fn filled(&self, path: &str) -> String {
        let mut filled = path
            .replace("{order_id}", &self.order_id)
            .replace("{license_id}", &self.license_id)
            .replace("{user_id}", &self.owner_id)
            .replace("{club_id}", &self.shop.clubs[0].to_string())
            .replace("{code}", "konkurranse-bilcross")
            .replace("{valid_from}", "2030-01-01T00:00:00Z")
            .replace("{*file}", "swagger-ui.css");
        while let (Some(begin), Some(end)) = (filled.find('{'), filled.find('}')) {
            filled.replace_range(begin..=end, &Uuid::from_u128(1).to_string());
        }
        filled
    }

    /// Asks for this route with this token. A command has a key of its own, and a body that changes nothing.
    pub(crate) async fn ask(&self, method: &str, path: &str, token: Option<&str>) -> Answer {
        let body = json!({"nothing": "that is known"});
        self.ask_with(method, path, token, &body).await
    }

    /// As [`World::ask`], with the body that the route needs to judge whose its thing is.
    pub(crate) async fn ask_properly(&self, method: &str, path: &str, token: Option<&str>) -> Answer {
        self.ask_with(method, path, token, &proper_body(path)).await
    }

    async fn ask_with(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let base = if method == "GET" {
            self.shop.system.query_api_url()
        } else {
            self.shop.system.command_api_url()
        };
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("{base}{}", self.filled(path));
        let mut request = self.shop.http().request(method.clone(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if method != Method::GET {
            // Of a scan, its id is the key.
            let scan = body["scan_id"].as_str().map(str::to_owned);
            let key = scan.unwrap_or_else(|| Uuid::new_v4().to_string());
            request = request.header("Idempotency-Key", key).json(body);
        }
        answer(request).await.expect("an answer")
    }
}

/// A body with which the route comes as far as its thing.
fn proper_body(path: &str) -> Value {
    if path.ends_with("/check-in") {
        json!({
            "scan_id": Uuid::new_v4(), "at": "2026-06-01T08:00:00Z", "device_id": "device-1", "gate": "main",
            "verdict": "valid",
        })
    } else if path.ends_with("/erase") {
        json!({"reason": "requested"})
    } else {
        json!({})
    }
}
