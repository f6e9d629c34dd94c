//! Exports: all rows once, as of one position, in constant memory, for a few at a time.

use anyhow::Result;
use axum::body::BodyDataStream;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use query_api::EXPORTS_AT_ONCE;
use serde_json::{Value, json};
use stack::Role;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::rows;
use crate::support::{Answer, App, connect, eventually};

const ROWS: i64 = 20_000;
/// A run of rows is far below this, whatever the number of rows is.
const MOST_BYTES: usize = 2 << 20;

/// Many orders like the first, a second apart.
async fn many_orders(client: &Client) -> Result<()> {
    rows::order(client, json!({"lines": [{"line": 1}]})).await?;
    let more = "insert into orders select (jsonb_populate_record(o, jsonb_build_object('order_id', gen_random_uuid(),
        'order_number', 'BL-' || i, 'created_at', o.created_at + make_interval(secs => i)))).*
        from orders o, generate_series(1, $1::int8 - 1) i";
    client.execute(more, &[&ROWS]).await?;
    Ok(())
}

/// Begins an export.
async fn begin(app: &App, path: &str) -> (StatusCode, String, BodyDataStream) {
    let response = app.open(path, &app.staff(), &[]).await;
    let position = response.headers()["event-position"].to_str().unwrap_or_default();
    (
        response.status(),
        position.to_owned(),
        response.into_body().into_data_stream(),
    )
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("a line of JSON"))
        .collect()
}

#[tokio::test]
async fn all_rows_come_once_as_of_one_position_however_slowly_they_are_taken() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    many_orders(&app.projector).await?;
    let (status, position, mut body) = begin(&app, "/api/v1/exports/orders?format=ndjson").await;
    assert_eq!((status, position.as_str()), (StatusCode::OK, "7"));
    // The first piece is the head, which is empty here; the second has the first rows.
    let mut bytes = Vec::new();
    while bytes.is_empty() {
        bytes.extend(body.next().await.expect("rows")?);
    }
    // The database waits for the client now, and what happens meanwhile is not in the export.
    let reader = connect(&app.databases.read_reader).await?;
    let waits = "select count(*) from pg_stat_activity
        where application_name = 'query-api export' and state = 'idle in transaction' and datname = current_database()";
    let waiting: i64 = reader.query_one(waits, &[]).await?.get(0);
    assert_eq!(waiting, 1);
    rows::order(&app.projector, json!({})).await?;
    app.projector
        .execute("update orders set status = 'refunded'", &[])
        .await?;
    app.project_to(8).await?;
    while let Some(piece) = body.next().await {
        let piece = piece?;
        assert!(piece.len() < MOST_BYTES, "{} bytes at once", piece.len());
        bytes.extend(piece);
    }
    let rows = lines(&bytes);
    let mut ids: Vec<&str> = rows.iter().map(|row| row["order_id"].as_str().unwrap()).collect();
    assert!(rows.iter().all(|row| row["status"] == "fulfilled"));
    assert!(rows.is_sorted_by_key(|row| row["created_at"].as_str().unwrap().to_owned()));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(i64::try_from(ids.len())?, ROWS);

    // Cut off after a row, it goes on after that row.
    let after = rows[9_999]["order_id"].as_str().unwrap();
    let path = format!("/api/v1/exports/orders?format=ndjson&after={after}&status=refunded");
    let rest = app.get(&path, &app.staff()).await;
    assert_eq!(rest.header("event-position"), "8");
    let rest = lines(&rest.bytes);
    assert_eq!(rest[0]["order_id"], rows[10_000]["order_id"]);
    assert_eq!(rest.len(), 10_000);
    Ok(())
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_place_back() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    many_orders(&app.projector).await?;
    let path = "/api/v1/exports/orders";
    let mut open = Vec::new();
    for _ in 0..EXPORTS_AT_ONCE {
        let (status, _, mut body) = begin(&app, path).await;
        assert_eq!(status, StatusCode::OK);
        body.next().await.expect("a head")?;
        open.push(body);
    }
    let refused = app.get(path, &app.staff()).await;
    assert!(refused.is(503, "exports_busy"), "{refused:?}");
    assert!(!refused.header("retry-after").is_empty());
    // Pages go on.
    let page = app.get("/api/v1/orders?limit=1", &app.staff()).await;
    assert_eq!(page.status, StatusCode::OK);
    open.clear();
    let reader = connect(&app.databases.read_reader).await?;
    eventually("no session of an export is left", async || {
        let left = "select count(*) from pg_stat_activity where application_name = 'query-api export' and datname = current_database()";
        let left: i64 = reader.query_one(left, &[]).await.ok()?.get(0);
        (left == 0).then_some(())
    })
    .await;
    let again = app.get(path, &app.staff()).await;
    assert_eq!(again.status, StatusCode::OK);
    Ok(())
}

/// The cells of a sheet, the first line included.
fn cells(answer: &Answer) -> Vec<Vec<String>> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let text = std::str::from_utf8(&answer.bytes).expect("UTF-8");
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b';')
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader.records().map(|row| row.expect("a row"));
    rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
}

fn cell<'a>(cells: &'a [Vec<String>], row: usize, name: &str) -> &'a str {
    let column = cells[0].iter().position(|cell| cell == name).expect("a column");
    &cells[row][column]
}

#[tokio::test]
async fn a_spreadsheet_in_norwegian_opens_it_and_runs_nothing() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    for (holder, phone, gate, price, at) in [
        ("Åse Ødegård; \"Ærlig\"", "+47 900 00 000", "Port 2", 42_050, 0),
        ("=HYPERLINK(\"http://evil.test\";\"x\")", "@SUM(A1)", "-1", 5, 1),
        ("\tKari\r\nNordmann", "22 22 22 22", "=1", 0, 2),
    ] {
        let license = json!({"holder_name": holder, "holder_phone": phone, "price_ore": price, "checked_in_gate": gate,
            "created_at": format!("2026-05-01T10:00:0{at}Z"), "issued_at": "2026-12-31T23:30:00Z",
            "vehicle": {"registration": "EK12345"}});
        rows::license(&app.projector, license).await?;
    }
    let sheet = cells(&app.get("/api/v1/exports/licenses", &app.staff()).await);
    assert_eq!(sheet.len(), 4);
    assert_eq!(sheet[0][0], "license_id");
    assert_eq!(cell(&sheet, 1, "holder_name"), "Åse Ødegård; \"Ærlig\"");
    assert_eq!(cell(&sheet, 1, "holder_phone"), "'+47 900 00 000");
    assert_eq!(cell(&sheet, 1, "price_kr"), "420,50");
    assert_eq!(cell(&sheet, 1, "issued_at"), "2027-01-01 00:30:00");
    assert_eq!(cell(&sheet, 1, "registration"), "EK12345");
    assert_eq!(cell(&sheet, 1, "revoked_at"), "");
    assert_eq!(
        cell(&sheet, 2, "holder_name"),
        "'=HYPERLINK(\"http://evil.test\";\"x\")"
    );
    assert_eq!(cell(&sheet, 2, "holder_phone"), "'@SUM(A1)");
    assert_eq!(
        (cell(&sheet, 2, "checked_in_gate"), cell(&sheet, 2, "price_kr")),
        ("'-1", "0,05")
    );
    assert_eq!(cell(&sheet, 3, "holder_name"), "'\tKari\r\nNordmann");
    for row in &sheet[1..] {
        for cell in row {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn receipts_keep_their_filters_and_their_file_has_a_name() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    for (number, kind) in [("2026-000001", "receipt"), ("2026-000002", "credit_note")] {
        rows::receipt(&app.projector, json!({"receipt_number": number, "kind": kind})).await?;
    }
    let all = app.get("/api/v1/exports/receipts", &app.staff()).await;
    assert_eq!(
        all.header("content-disposition"),
        "attachment; filename=\"receipts-7.csv\""
    );
    assert_eq!(all.header("cache-control"), "private, no-store");
    assert_eq!(cells(&all).len(), 3);
    let notes = app
        .get("/api/v1/exports/receipts?kind=credit_note", &app.staff())
        .await;
    assert_eq!(cell(&cells(&notes), 1, "receipt_number"), "2026-000002");
    let none = app
        .get("/api/v1/exports/receipts?happened_from=2099-01-01", &app.staff())
        .await;
    assert_eq!(cells(&none).len(), 1, "the names of the columns alone");
    Ok(())
}

#[tokio::test]
async fn what_is_refused_holds_no_place() -> Result<()> {
    let app = App::start().await?;
    app.project_to(7).await?;
    let staff = app.staff();
    let nothing = Uuid::from_u128(1);
    for (query, status, code) in [
        ("?format=xlsx".to_owned(), 400, "invalid_choice"),
        ("?limit=10".into(), 400, "unknown_parameter"),
        ("?status=none".into(), 400, "invalid_choice"),
        ("?after=1".into(), 400, "invalid_uuid"),
        (format!("?after={nothing}"), 400, "after_unknown"),
        ("?min_position=100".into(), 503, "projection_lagging"),
    ] {
        for _ in 0..=EXPORTS_AT_ONCE {
            let answer = app.get(&format!("/api/v1/exports/orders{query}"), &staff).await;
            assert_eq!(answer.status.as_u16(), status, "{query}: {answer:?}");
            let found = [&answer.body["code"], &answer.body["errors"][0]["code"]];
            assert!(found.contains(&&json!(code)), "{query}: {answer:?}");
        }
    }
    for (role, subject) in [(Role::Customer, "kari"), (Role::Organizer, "organizer")] {
        for path in [
            "exports/orders",
            "exports/licenses",
            "exports/receipts",
            "reports/sales",
        ] {
            let token = app.token(role, subject, &[Uuid::nil()]);
            let answer = app.get(&format!("/api/v1/{path}"), &token).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} for {role:?}");
            let anonymous = app.get_anonymously(&format!("/api/v1/{path}")).await;
            assert_eq!(anonymous.status, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    Ok(())
}
