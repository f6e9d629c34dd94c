//! Batches as files.

use serde_json::json;
use stack::Options;
use system_tests::{Shop, answer, eventually};

use super::{count, outcomes, send, try_send};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of bad files")]
async fn files_are_taken_as_spreadsheets_write_them_or_refused_whole() {
    let shop = Shop::open(Options::default()).await;
    let csv = "\u{feff}name;status\r\nNMK Bodø;\r\n\"Bilklubb \"\"Åsen\"\"; øst\";inactive\r\n;\r\n";
    let address = "?kind=upsert_club";
    let submitted = send(&shop, "csv", address, "text/csv; charset=utf-8", csv)
        .await
        .expect(202);
    assert_eq!(submitted.body["total"], 2);
    let batch_id = submitted.text_at("/batch_id");
    assert_eq!(outcomes(&shop, batch_id).await, ["done", "done"]);
    let found = shop
        .get("/clubs?q=nmk%20bodø", &shop.tokens.staff)
        .await
        .expect(200);
    assert_eq!(found.body["items"][0]["name"], "NMK Bodø");
    // The same file under the same key is the same batch; another file is not.
    let again = send(&shop, "csv", address, "text/csv; charset=utf-8", csv)
        .await
        .expect(202);
    assert_eq!(
        (&again.text, again.header("idempotency-replayed")),
        (&submitted.text, Some("true"))
    );
    let other = send(&shop, "csv", address, "text/csv", "name\nNMK Annenby\n")
        .await
        .expect(422);
    assert_eq!(other.body["code"], "idempotency_key_reused");

    let lines = "{\"code\":\"banedag-racing\",\"price_ore\":50000}\n\n{\"code\":\"banedag-racing\"}";
    let submitted = send(
        &shop,
        "lines",
        "?kind=set_price&dry_run=false",
        "application/x-ndjson",
        lines,
    )
    .await;
    let submitted = submitted.expect(202);
    assert_eq!(
        outcomes(&shop, submitted.text_at("/batch_id")).await,
        ["done", "malformed_body /price_ore missing_field"]
    );

    let many = "{}\n".repeat(10_001);
    let mut large = b"name\n".to_vec();
    large.extend(vec![b'x'; 33 << 20]);
    let items = |items: &str| format!("{{\"kind\":\"set_price\",\"items\":{items}}}").into_bytes();
    for (name, address, content_type, body, status, code) in [
        (
            "windows-1252",
            address,
            "text/csv",
            b"name\nNMK Bod\xf8\n".to_vec(),
            422,
            "not_utf8",
        ),
        (
            "utf-16",
            address,
            "text/csv",
            b"\xff\xfen\0a\0".to_vec(),
            422,
            "not_utf8",
        ),
        (
            "columns",
            address,
            "text/csv",
            b"navn\nNMK\n".to_vec(),
            422,
            "csv_column_unknown",
        ),
        (
            "cells",
            address,
            "text/csv",
            b"name;status\nNMK\n".to_vec(),
            422,
            "csv_cells",
        ),
        (
            "header",
            address,
            "text/csv",
            Vec::new(),
            422,
            "csv_header_missing",
        ),
        (
            "empty",
            address,
            "text/csv",
            b"name\n".to_vec(),
            422,
            "batch_empty",
        ),
        ("large", address, "text/csv", large, 413, "body_too_large"),
        (
            "charset",
            address,
            "text/csv; charset=windows-1252",
            b"name\nNMK\n".to_vec(),
            415,
            "unsupported_media_type",
        ),
        (
            "type",
            address,
            "application/vnd.ms-excel",
            b"name\nNMK\n".to_vec(),
            415,
            "unsupported_media_type",
        ),
        (
            "no-kind",
            "",
            "text/csv",
            b"name\nNMK\n".to_vec(),
            422,
            "batch_kind",
        ),
        (
            "kinds",
            "?kind=upsert_club&kind=suspend",
            "text/csv",
            b"name\nNMK\n".to_vec(),
            422,
            "batch_kind",
        ),
        (
            "unknown-kind",
            "?kind=club",
            "text/csv",
            b"name\nNMK\n".to_vec(),
            422,
            "batch_kind",
        ),
        (
            "parameter",
            "?kinds=set_price",
            "application/json",
            items("[{}]"),
            400,
            "unknown_parameter",
        ),
        (
            "many",
            "?kind=set_price",
            "application/x-ndjson",
            many.into_bytes(),
            422,
            "batch_too_many",
        ),
        (
            "line",
            "?kind=set_price",
            "application/x-ndjson",
            b"{}\n{".to_vec(),
            400,
            "malformed_body",
        ),
        (
            "no-items",
            "",
            "application/json",
            items("[]"),
            422,
            "batch_empty",
        ),
        (
            "half",
            "",
            "application/json",
            items("[{}"),
            400,
            "malformed_body",
        ),
        (
            "deep",
            "",
            "application/json",
            items(&"[".repeat(1_000)),
            400,
            "malformed_body",
        ),
    ] {
        // Who still sends when the answer comes may find the connection closed before it is read.
        let refused = eventually(name, async || {
            try_send(&shop, name, address, content_type, body.clone())
                .await
                .ok()
        })
        .await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["code"]),
            (status, &json!(code)),
            "{name}: {}",
            refused.text
        );
    }
    let url = format!(
        "{}/api/v1/batches?kind=upsert_club",
        shop.system.command_api_url()
    );
    let request = || {
        shop.http()
            .post(&url)
            .header("Content-Type", "text/csv")
            .body("name\nNMK Tredjeby\n")
    };
    let packed = request()
        .bearer_auth(&shop.tokens.staff)
        .header("Idempotency-Key", "packed");
    answer(packed.header("Content-Encoding", "gzip"))
        .await
        .unwrap()
        .expect(415);
    let keyless = answer(request().bearer_auth(&shop.tokens.staff))
        .await
        .unwrap()
        .expect(400);
    assert_eq!(keyless.body["code"], "idempotency_key_missing");
    for token in [&shop.tokens.customer, &shop.tokens.organizer] {
        answer(request().bearer_auth(token).header("Idempotency-Key", "who"))
            .await
            .unwrap()
            .expect(403);
    }
    answer(request().header("Idempotency-Key", "who"))
        .await
        .unwrap()
        .expect(401);
    assert_eq!(
        count(&shop, "select count(*) from staged_chunks").await,
        0,
        "nothing is left of a refused file"
    );
    assert_eq!(
        count(
            &shop,
            "select count(*) from events where event_type = 'BatchSubmitted'"
        )
        .await,
        2
    );
    shop.close().await;
}
