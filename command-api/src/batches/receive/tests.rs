use axum::body::Bytes;
use event_store::Chunk;
use serde_json::Value;
use tokio::sync::mpsc;
use vocabulary::BatchKind;

use super::parse;
use crate::batches::intake::{Declared, Format};
use crate::batches::problems::Unreadable;
use crate::batches::{CHUNK_ITEMS, MAX_ITEM_BYTES};

/// The items, with the numbers of their chunks' first ones, or why the bytes are refused. The bytes arrive in pieces.
fn read(format: Format, bytes: impl Into<Vec<u8>>) -> Result<(Declared, Vec<Value>), Unreadable> {
    let declared = Declared {
        kind: (format != Format::Json).then_some(BatchKind::SetPrice),
        dry_run: None,
    };
    let bytes = bytes.into();
    let (frames, incoming) = mpsc::channel(4);
    let (chunks, mut staged) = mpsc::channel::<Chunk>(2);
    let sender = std::thread::spawn(move || {
        for piece in bytes.chunks(1000) {
            if frames.blocking_send(Bytes::copy_from_slice(piece)).is_err() {
                return;
            }
        }
    });
    let reader = std::thread::spawn(move || parse(incoming, chunks, format, declared));
    let mut items = Vec::new();
    while let Some(chunk) = staged.blocking_recv() {
        assert_eq!(chunk.first as usize, items.len() + 1);
        let some: Vec<Value> = serde_json::from_slice(&chunk.content).unwrap();
        assert!((1..=CHUNK_ITEMS).contains(&some.len()));
        items.extend(some);
    }
    sender.join().unwrap();
    let (declared, total) = reader.join().unwrap()?;
    assert_eq!(total as usize, items.len());
    Ok((declared, items))
}

fn refused(format: Format, bytes: impl Into<Vec<u8>>) -> Unreadable {
    read(format, bytes).err().unwrap()
}

#[test]
fn a_document_may_name_its_kind_before_or_after_its_items() {
    let items: Vec<_> = (0..600)
        .map(|n| format!("{{\"code\": \"a\",\n \"price_ore\": {n}}}"))
        .collect();
    let items = items.join(", ");
    for document in [
        format!("{{\"kind\":\"set_price\",\"dry_run\":true,\"items\":[{items}]}}"),
        format!("\u{feff} {{\"items\": [{items}], \"dry_run\": true, \"kind\": \"set_price\"}}\n"),
    ] {
        let (declared, items) = read(Format::Json, document).unwrap();
        assert_eq!(
            (declared.kind, declared.dry_run),
            (Some(BatchKind::SetPrice), Some(true))
        );
        assert_eq!(items.len(), 600);
        assert_eq!(items[599]["price_ore"], 599);
    }
}

#[test]
fn what_is_no_document_of_a_batch_is_refused() {
    for bad in [
        "",
        "[]",
        "{",
        "{\"kind\":\"set_price\"}",
        "{\"kind\":\"set_price\",\"items\":{}}",
        "{\"kind\":\"nothing\",\"items\":[{}]}",
        "{\"kind\":\"set_price\",\"items\":[{}]} x",
        "{\"kind\":\"set_price\",\"kind\":\"set_price\",\"items\":[{}]}",
        "{\"kind\":\"set_price\",\"items\":[{}],\"items\":[{}]}",
        "{\"kind\":\"set_price\",\"more\":1,\"items\":[{}]}",
        "{\"kind\":\"set_price\",\"items\":[{}",
    ] {
        assert!(
            matches!(refused(Format::Json, bad), Unreadable::NotJson(..)),
            "{bad}"
        );
    }
    for bad in [
        b"{\"kind\":\"set_price\",\n\"items\":[{\"a\":\"\xf8\"}]}".to_vec(),
        b"{\"kind\":\"set_price\",\n\"b\xf8\":1}".to_vec(),
    ] {
        assert_eq!(refused(Format::Json, bad), Unreadable::NotUtf8(2));
    }
    for item in ["1", "[]", "\"a\"", "null"] {
        let document = format!("{{\"kind\":\"set_price\",\"items\":[{{}}, {item}]}}");
        assert_eq!(refused(Format::Json, document), Unreadable::NotAnObject(2));
    }
    assert_eq!(
        refused(Format::Json, "{\"kind\":\"set_price\",\"items\":[]}"),
        Unreadable::Empty
    );
}

#[test]
fn lines_are_items_and_empty_lines_are_none() {
    let (_, items) = read(Format::Lines, "\u{feff}{\"a\":1}\r\n\n  \n {}\n{\"a\":3}").unwrap();
    assert_eq!(
        items,
        [
            serde_json::json!({"a": 1}),
            serde_json::json!({}),
            serde_json::json!({"a": 3})
        ]
    );
    assert_eq!(refused(Format::Lines, "\n \n"), Unreadable::Empty);
    assert!(matches!(
        refused(Format::Lines, "{}\n{\"a\"\n"),
        Unreadable::NotJson(2, _)
    ));
    assert_eq!(
        refused(Format::Lines, b"{}\n{}\n\"\xf8\"\n".to_vec()),
        Unreadable::NotUtf8(3)
    );
    assert_eq!(
        refused(Format::Lines, b"\xff\xfe{\0}\0".to_vec()),
        Unreadable::Utf16
    );
}

#[test]
fn rows_are_read_as_spreadsheets_write_them() {
    let expected = [
        serde_json::json!({"code": "banedag", "price_ore": 42_050}),
        serde_json::json!({"code": "øvelse; \"ny\"", "price_ore": 100}),
    ];
    for file in [
        "code;price_kr\nbanedag;420,50\n\"øvelse; \"\"ny\"\"\";1\n",
        "\u{feff}code;price_kr\r\nbanedag;420,50\r\n;\r\n\"øvelse; \"\"ny\"\"\";1,00",
        "sep=;\r\ncode;price_kr\r\nbanedag;420,50\r\n\"øvelse; \"\"ny\"\"\";1\r\n",
        "code,price_kr\nbanedag,420.50\n\"øvelse; \"\"ny\"\"\",1\n",
        "code\tprice_kr\nbanedag\t420,50\n\"øvelse; \"\"ny\"\"\"\t1\n",
    ] {
        assert_eq!(read(Format::Csv, file).unwrap().1, expected, "{file:?}");
    }
}

#[test]
fn files_that_a_spreadsheet_saves_otherwise_are_refused_with_the_line() {
    let windows_1252 = b"code;price_kr\nbanedag;1\n\xf8velse;2\n".to_vec();
    assert_eq!(refused(Format::Csv, windows_1252), Unreadable::NotUtf8(3));
    assert_eq!(
        refused(Format::Csv, b"sep=;\ncode;price_kr\n\xf8velse;2\n".to_vec()),
        Unreadable::NotUtf8(3)
    );
    assert_eq!(
        refused(Format::Csv, b"\xff\xfec\0o\0".to_vec()),
        Unreadable::Utf16
    );
    assert_eq!(
        refused(Format::Csv, "code;price_kr\na;1\nb\n"),
        Unreadable::Cells(3)
    );
    assert!(
        matches!(refused(Format::Csv, "code;pris\na;1\n"), Unreadable::Column(name, _) if name == "pris")
    );
    assert_eq!(refused(Format::Csv, ""), Unreadable::NoHeader);
    assert_eq!(refused(Format::Csv, "\n"), Unreadable::NoHeader);
    assert_eq!(refused(Format::Csv, "code;price_kr\n"), Unreadable::Empty);
}

#[test]
fn numbers_and_sizes_are_bounded() {
    let lines = |count: usize| "{}\n".repeat(count);
    assert_eq!(read(Format::Lines, lines(10_000)).unwrap().1.len(), 10_000);
    assert_eq!(refused(Format::Lines, lines(10_001)), Unreadable::TooMany);
    let items = vec!["{}"; 10_001].join(",");
    let document = format!("{{\"kind\":\"set_price\",\"items\":[{items}]}}");
    assert_eq!(refused(Format::Json, document), Unreadable::TooMany);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_ITEM_BYTES));
    assert_eq!(
        refused(Format::Lines, format!("{{}}\n{large}\n")),
        Unreadable::ItemTooLarge(2)
    );
    for size in [1, 10] {
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(size * MAX_ITEM_BYTES));
        let document = format!("{{\"kind\":\"set_price\",\"items\":[{{}},{large}]}}");
        assert_eq!(refused(Format::Json, document), Unreadable::ItemTooLarge(2));
    }
    let cell = "x".repeat(2 * MAX_ITEM_BYTES);
    assert_eq!(
        refused(Format::Csv, format!("code\n{cell}\n")),
        Unreadable::ItemTooLarge(1)
    );
}

#[test]
fn rows_that_a_quote_swallows_are_refused() {
    for (file, line) in [
        ("code;price_kr\n\"a;1\nb;2\nc;3\n", 2),
        ("code;price_kr\n\"a;1\nb;2\n\"c;3\n", 2),
        ("code;price_kr\na;1\n\"b\nc\";2\n", 3),
        ("code;price_kr\na;1\n\"b;2", 3),
        ("code;price_kr\na;1\nb\";2\n", 3),
    ] {
        let found = refused(Format::Csv, file);
        assert!(
            matches!(found, Unreadable::Quotes(at) | Unreadable::Cells(at) if at >= line),
            "{file:?}: {found:?}"
        );
    }
}

#[test]
fn empty_rows_and_lines_are_no_items_however_many_there_are() {
    let rows = format!("code;price_kr\na;1\n{}", ";\n".repeat(60_000));
    assert_eq!(read(Format::Csv, rows).unwrap().1.len(), 1);
    let lines = format!("{{}}\n{}{{}}\n", "\n".repeat(90_000));
    assert_eq!(read(Format::Lines, lines).unwrap().1.len(), 2);
}
