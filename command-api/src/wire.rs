//! The bodies that clients read, as snapshots: the answer of every command, and each kind of refusal. Ids and moments come
//! from the fixtures, so that no snapshot is edited.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::response::IntoResponse as _;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use domain::{
    Club, HolderKey, LicenseType, NewLicenseType, NewTerms, Order, OrderCommand, PlaceOrder, Refusal,
    RequestedLine, Resolution, Terms,
};
use envelope::EventPayload;
use events::{ClubEvent, LicenseTypeEvent, LicenseTypePriceSet, OrderEvent};
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use service::extract::Json;
use service::problem::Problem;
use uuid::Uuid;
use vocabulary::PaymentProvider;

use crate::command::{Command, stored};
use crate::router::place_order::{OrderRequest, PlacedOrder};
use crate::router::register_club::RegisterClub;
use crate::router::retire_license_type::RetireLicenseType;
use crate::router::set_price::SetPrice;
use crate::router::update_club::UpdateClub;
use crate::router::withdraw_price::WithdrawPrice;
use crate::{answer, rule_seven};

const ORDER: Uuid = Uuid::from_u128(0x0198_c5a2_7d1e_7000_8000_0000_0000_0001);

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 1, 5, 40, 0).unwrap()
}

/// A published sample as the event that it is.
macro_rules! sample {
    ($event:ident::$name:literal v $version:literal) => {
        $event::decode(
            $name,
            $version,
            include_str!(concat!("../../schemas/samples/", $name, ".v", $version, ".json")),
        )
        .unwrap()
    };
}

/// The aggregate with this history.
fn after<A: Aggregate>(history: Vec<A::Event>) -> A {
    let mut aggregate = A::default();
    for event in history {
        aggregate.apply(event);
    }
    aggregate
}

/// The stored answer of a command on that aggregate.
async fn answer_of<C: Command>(mut aggregate: C::Aggregate, path: Value, body: Value) -> Value {
    let Json(request) = Json::<C>::from_bytes(body.to_string().as_bytes()).unwrap();
    let plan = request
        .plan(serde_json::from_value(path).unwrap(), now())
        .unwrap();
    let sink = EventSink::default();
    aggregate.handle(plan.command, &(), &sink).await.unwrap();
    let version = sink.collect().await.len() as u64;
    stored(&(plan.answer)(&aggregate, version))
}

fn license_type() -> LicenseType {
    after(vec![
        sample!(LicenseTypeEvent::"LicenseTypeCreated" v "2"),
        sample!(LicenseTypeEvent::"LicenseTypePriceSet" v "1"),
    ])
}

#[test]
fn a_placed_order() {
    let order: Order = after(vec![sample!(OrderEvent::"OrderPlaced" v "2")]);
    let answer = |redirect_url| stored(&PlacedOrder::of(ORDER, &order, 2, redirect_url));
    assert_json_snapshot!(answer(Some("https://pay.example/1")));
    assert_eq!(answer(None)["payment"]["redirect_url"], Value::Null);
}

#[tokio::test]
async fn a_resolved_capture() {
    let order = after(vec![
        sample!(OrderEvent::"OrderPlaced" v "2"),
        sample!(OrderEvent::"CaptureFailed" v "1"),
    ]);
    let body = json!({"action": "write_off", "reason": "Paid at the counter"});
    assert_json_snapshot!(answer_of::<Resolution>(order, json!({"order_id": ORDER}), body).await);
}

#[tokio::test]
async fn a_created_license_type() {
    let body = json!({
        "code": "banedag-bil", "category": "track_day", "discipline": "bil", "role": "driver",
        "name_nb": "Banedag", "name_en": "Track day", "price_ore": 22_000, "max_days": 3,
    });
    assert_json_snapshot!(answer_of::<NewLicenseType>(LicenseType::default(), json!({}), body).await);
}

#[tokio::test]
async fn a_price_that_is_set_and_withdrawn() {
    let path = json!({"code": "banedag-bil"});
    let body = json!({"price_ore": 24_000, "valid_from": "2026-07-01T00:00:00Z"});
    assert_json_snapshot!(answer_of::<SetPrice>(license_type(), path, body).await);
    let mut to_come = license_type();
    let moment = Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap();
    let set = LicenseTypePriceSet {
        price_ore: 24_000,
        valid_from: moment,
    };
    to_come.apply(set.into());
    let path = json!({"code": "banedag-bil", "valid_from": "2026-07-01T02:00:00+02:00"});
    assert_json_snapshot!(answer_of::<WithdrawPrice>(to_come, path, json!({})).await);
}

#[tokio::test]
async fn a_registered_club() {
    let body = json!({"name": " NMK  Testby "});
    let mut answer = answer_of::<RegisterClub>(Club::default(), json!({}), body).await;
    let id: Uuid = serde_json::from_value(answer["club_id"].take()).unwrap();
    assert_eq!(id.get_version_num(), 7, "made by the command");
    answer["club_id"] = json!(ORDER);
    assert_json_snapshot!(answer);
}

#[tokio::test]
async fn a_changed_club() {
    let club = after(vec![sample!(ClubEvent::"ClubRegistered" v "1")]);
    let body = json!({"name": "NMK  Nyby", "status": "inactive"});
    assert_json_snapshot!(answer_of::<UpdateClub>(club, json!({"club_id": ORDER}), body).await);
}

#[tokio::test]
async fn a_retired_license_type() {
    let path = json!({"code": "banedag-bil"});
    assert_json_snapshot!(answer_of::<RetireLicenseType>(license_type(), path, json!({})).await);
}

#[tokio::test]
async fn published_terms() {
    let body = json!({
        "terms_version": " 2026-01 ", "valid_from": "2026-07-01T02:00:00+02:00", "title_nb": "Vilkår",
        "title_en": "Terms", "text_nb": "Én person.", "text_en": "One person.", "declaration_nb": "Frisk",
        "declaration_en": "Well",
    });
    assert_json_snapshot!(answer_of::<NewTerms>(Terms::default(), json!({}), body).await);
}

/// A problem's body, outside of a request.
async fn body(problem: Problem) -> Value {
    let response = problem.into_response();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn bodies_that_are_no_order() {
    let mut bodies = Vec::new();
    for text in [
        "",
        "[]",
        r#"{"lines": []}"#,
        r#"{"lines": [], "total_ore": 1}"#,
        r#"{"lines": [{"license_type": "a", "club_id": 7}]}"#,
        r#"{"lines": [{"license_type": "a", "activity_date": "2026-02-30"}]}"#,
        r#"{"lines": [{"license_type": "a", "activity_days": 1.5}]}"#,
        r#"{"lines": [["a"]]}"#,
        r#"{"lines": [
            {"license_type": "a", "club_id": "0198c5a2-7d1e-7000-8000-000000000001",
             "activity_date": "5.6.2026", "holder": {"name": "Kari", "birth_date": "17.5.1990"}},
            {"license_type": "a", "club_id": "0198c5a2-7d1e-7000-8000-000000000001",
             "activity_date": "2026-06-05", "holder": {"name": "Kari", "birth_date": 19900517}}
        ]}"#,
    ] {
        let refused = Json::<OrderRequest>::from_bytes(text.as_bytes()).map(|_| ());
        bodies.push(json!({"sent": text, "answer": body(refused.unwrap_err()).await}));
    }
    assert_json_snapshot!(bodies);
}

#[tokio::test]
async fn an_order_that_breaks_rules() {
    let asked = json!({
        "license_type": "none", "club_id": ORDER, "activity_date": "2026-05-31", "activity_days": 1,
        "holder": {"name": "K\u{200b}ari", "birth_date": "2015-05-17", "phone": "123", "email": "Kari <kari@example.no>"},
        "vehicle": {"registration": "Æ"},
    });
    let place = PlaceOrder {
        order_id: ORDER,
        customer_id: ORDER,
        lines: vec![RequestedLine {
            asked: serde_json::from_value(asked).unwrap(),
            offer: None,
            club: None,
        }],
        payment_provider: PaymentProvider::Vipps,
        terms_version: String::new(),
        terms: Arc::default(),
        expected_total_ore: None,
        now: now(),
        time_to_pay: TimeDelta::minutes(15),
        holder_key: Arc::new(HolderKey::new(&[7; 32]).unwrap()),
        suspended: std::collections::BTreeSet::new(),
    };
    let refused = Order::default().decide(OrderCommand::Place(Box::new(place)));
    assert_json_snapshot!(body(answer::refused(&refused.unwrap_err())).await);
}

#[tokio::test]
async fn refusals() {
    let mut bodies = Vec::new();
    for refusal in [
        Refusal::Unknown,
        Refusal::Exists,
        Refusal::OrderState,
        Refusal::PriceInForce,
        Refusal::NothingToCollect,
        Refusal::LicenseState,
        Refusal::Retired,
        Refusal::PriceChanged { total_ore: 43_000 },
        Refusal::TermsMissing,
        Refusal::TermsUnknown {
            current: "2026-01".into(),
        },
        Refusal::TermsOutdated {
            current: "2026-01".into(),
        },
    ] {
        bodies.push(body(answer::refused(&refusal)).await);
    }
    bodies.push(body(answer::version_mismatch(3)).await);
    for problem in rule_seven::examples().into_iter().chain(answer::problems()) {
        bodies.push(body(problem).await);
    }
    assert_json_snapshot!(bodies);
}
