//! Which form of a body a client gets, and what the forms have in common.

use anyhow::Result;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::rows;
use crate::support::App;

const LIST: &str = "/api/v1/clubs?limit=200";

/// What the bytes of an answer in this encoding are.
fn decoded(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match encoding {
        "br" => brotli::BrotliDecompress(&mut &bytes[..], &mut decoded).unwrap(),
        "gzip" => {
            let mut unzipped = flate2::read::GzDecoder::new(bytes);
            std::io::Read::read_to_end(&mut unzipped, &mut decoded).unwrap();
        }
        _ => decoded.extend_from_slice(bytes),
    }
    decoded
}

#[tokio::test]
async fn a_client_gets_the_best_form_that_it_accepts() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    for number in 0..50 {
        rows::club(&app.projector, &format!("NMK Testby {number}")).await?;
    }
    let plain = app.get_anonymously(LIST).await;
    assert_eq!(
        (plain.header("content-encoding"), plain.bytes.len() > 1024),
        ("", true)
    );
    for (accepts, expected) in [
        ("br, gzip", "br"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.2, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip;q=0", ""),
        ("deflate, zstd", ""),
        ("identity", ""),
        ("", ""),
        ("nonsense;q=x, ,", ""),
    ] {
        let accept = [("accept-encoding", accepts)];
        let open = app.open(LIST, "", &accept).await;
        let answer = axum::body::to_bytes(open.into_body(), usize::MAX).await?;
        let headers = app.open(LIST, "", &accept).await.headers().clone();
        let header = |name: &str| {
            headers
                .get(name)
                .map_or("", |value| value.to_str().unwrap())
                .to_owned()
        };
        assert_eq!(header("content-encoding"), expected, "{accepts}");
        assert_eq!(header("vary"), "accept-encoding, min-position", "{accepts}");
        // One weak tag is right for every form.
        assert_eq!(header("etag"), plain.header("etag"), "{accepts}");
        if !expected.is_empty() {
            assert!(
                answer.len() < plain.bytes.len() / 2,
                "{accepts}: {} bytes",
                answer.len()
            );
            assert_eq!(header("content-length"), "", "{accepts}");
        }
        let body: Value = serde_json::from_slice(&decoded(expected, &answer))?;
        assert_eq!(body, plain.body, "{accepts}");
        let known = [
            ("accept-encoding", accepts),
            ("if-none-match", plain.header("etag")),
        ];
        let unchanged = app.get_with(LIST, "", &known).await;
        assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED, "{accepts}");
        assert_eq!(unchanged.header("vary"), plain.header("vary"), "{accepts}");
    }
    // What is small, and what is compressed already, stays.
    let accept = [("accept-encoding", "br, gzip")];
    let small = app.get_with("/api/v1/clubs?limit=1", "", &accept).await;
    assert_eq!(
        (small.header("content-encoding"), small.column("name").len()),
        ("", 1)
    );
    let receipt = rows::receipt(&app.projector, json!({})).await?;
    let pdf = format!("/api/v1/receipts/{receipt}/receipt.pdf");
    let pdf = app.get_with(&pdf, &app.staff(), &accept).await;
    assert_eq!((pdf.status, pdf.header("content-encoding")), (StatusCode::OK, ""));
    Ok(())
}

#[tokio::test]
async fn an_export_is_compressed_as_it_streams() -> Result<()> {
    let app = App::start().await?;
    app.project_to(1).await?;
    for number in 0..60 {
        rows::receipt(
            &app.projector,
            json!({"receipt_number": format!("2026-{number:06}")}),
        )
        .await?;
    }
    let path = "/api/v1/exports/receipts";
    let staff = app.staff();
    let plain = app.get(path, &staff).await;
    for encoding in ["br", "gzip"] {
        let open = app.open(path, &staff, &[("accept-encoding", encoding)]).await;
        assert_eq!(open.headers()["content-encoding"], encoding);
        assert_eq!(open.headers()["vary"], "accept-encoding");
        let bytes = axum::body::to_bytes(open.into_body(), usize::MAX).await?;
        assert!(bytes.len() < plain.bytes.len(), "{encoding}");
        assert_eq!(decoded(encoding, &bytes), plain.bytes, "{encoding}");
    }
    Ok(())
}
