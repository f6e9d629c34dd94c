//! Orders with personal data, in clear and sealed: what the vault costs an append.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use event_store::vault::{Vault, with_new_master_key};
use event_store::{Append, Appender, AppenderOptions, EventData, IdempotencyKey};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contender::Contender;
use crate::measure::closed_loop;
use crate::ours::US;
use crate::server::{Bench, pool};

/// The same order by two writing tasks on one log: one keeps personal data in clear, one seals it.
pub(crate) async fn contenders(
    bench: &Bench,
    directory: &Path,
    in_flight: usize,
    (warm_up, length): (Duration, Duration),
) -> anyhow::Result<[Contender; 2]> {
    let url = bench.database("personal").await?;
    event_store::migrate(&url).await?;
    let file = directory.join("master.keys");
    std::fs::write(&file, with_new_master_key("bench", "")?)?;
    let vault = Arc::new(Vault::new(&file)?);
    vault.begin(&pool(&url, 1)?).await?;
    let clear = Appender::start(&url, AppenderOptions::default())?.0;
    let sealed = Appender::start(&url, AppenderOptions::default())?
        .0
        .with_vault(vault);
    let contender = |how: &str, appender: Appender, marked: bool| {
        Contender::new(
            US,
            format!("order with personal data {how}, {in_flight} in flight"),
            move || {
                let appender = appender.clone();
                closed_loop(in_flight, warm_up, length, move |_| {
                    let appender = appender.clone();
                    async move { place(&appender, marked).await }
                })
            },
        )
    };
    Ok([
        contender("in clear", clear, false),
        contender("sealed", sealed, true),
    ])
}

async fn place(appender: &Appender, names_person: bool) -> anyhow::Result<()> {
    let id = Uuid::now_v7();
    let key = IdempotencyKey::new("bench", id.to_string(), "the request");
    let person = names_person.then(Uuid::new_v4);
    let event = EventData::json("OrderPlaced", &order(person))?;
    let append = Append::new(key).events("order", id, 0, [event]);
    appender.append(append).await?;
    Ok(())
}

/// An order of one line, about as large as the shop's.
fn order(person: Option<Uuid>) -> Value {
    let personal = |value: &str| match person {
        None => json!({"$clear": value}),
        Some(person) => json!({"$clear": value, "$person": person}),
    };
    json!({
        "order_number": "BL-7K2QM-4XN9D",
        "customer_id": "0198c5a2-7d1e-7000-8000-000000000001",
        "lines": [{
            "line": 1,
            "license_id": "0198c5a2-7d1e-7000-8000-000000000002",
            "license_type": {
                "code": "konkurranse-bilcross", "category": "competition", "discipline": "bilcross", "role": "driver",
                "name_nb": "Konkurranselisens bilcross", "name_en": "Competition license bilcross",
            },
            "club_id": "0198c5a2-7d1e-7000-8000-000000000003",
            "club_name": "NMK Testby",
            "activity_date": "2026-06-05",
            "activity_days": 1,
            "price_ore": 42_000,
            "holder": {
                "name": personal("Kari Nordmann"),
                "birth_date": personal("1990-05-17"),
                "phone": personal("+47 900 00 000"),
                "email": personal("kari.nordmann@example.test"),
            },
            "vehicle": {"registration": personal("AB12345")},
        }],
        "total_ore": 42_000,
        "currency": "NOK",
        "payment_provider": "vipps",
        "payment_reference": "0198c5a2-7d1e-7000-8000-000000000001",
        "terms_version": "2026-1",
        "expires_at": "2026-06-01T12:00:00Z",
    })
}
