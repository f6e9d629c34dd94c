//! What `q` finds, however it is typed.

use anyhow::Result;
use read_model::{Term, searched};
use serde_json::json;

use crate::rows;
use crate::support::{Answer, App};

async fn holder(app: &App, name: &str, number: &str) -> Result<()> {
    let search = searched([Term::Number(number), Term::Words(name)]);
    let changes = json!({"holder_name": name, "order_number": number, "search": search});
    rows::license(&app.projector, changes).await.map(drop)
}

async fn found(app: &App, q: &str) -> Answer {
    let path = format!("/api/v1/licenses?fields=order_number&count=true&q={q}");
    app.get(&path, &app.staff()).await
}

#[tokio::test]
async fn names_are_found_in_the_letters_that_a_keyboard_has() -> Result<()> {
    let app = App::start().await?;
    for (name, number) in [
        ("Bjørn Ås", "BL-1"),
        ("Mueller Bodø", "BL-2"),
        ("Åse Tromsø", "BL-3"),
        ("Li Bo", "BL-4"),
    ] {
        holder(&app, name, number).await?;
    }
    for (q, expected) in [
        ("bjorn", &["BL-1"][..]),
        ("bjoern+aas", &["BL-1"]),
        ("m%C3%BCller", &["BL-2"]),
        ("bodo", &["BL-2"]),
        ("tromso", &["BL-3"]),
        ("%C3%A5se", &["BL-3"]),
        // Where words begin.
        ("li", &["BL-4"]),
        ("bo", &["BL-2", "BL-4"]),
        ("b+l", &["BL-4"]),
        ("bl-4", &["BL-4"]),
        ("zz", &[]),
    ] {
        let page = found(&app, q).await;
        let mut numbers = page.column("order_number");
        numbers.sort_unstable();
        assert_eq!(numbers, expected, "{q}");
        assert_eq!(page.body.get("similar"), None, "{q}");
    }
    Ok(())
}

#[tokio::test]
async fn a_mistyped_name_finds_similar_ones_and_says_so() -> Result<()> {
    let app = App::start().await?;
    for (name, number) in [
        ("Kristoffer Haugen", "BL-1"),
        ("Kristofer Haugland", "BL-2"),
        ("Ola Nordmann", "BL-3"),
    ] {
        holder(&app, name, number).await?;
    }
    let page = found(&app, "kristofferr+haugen").await;
    assert_eq!(page.column("order_number"), ["BL-1"]);
    assert_eq!(page.body["similar"], true);
    assert!(page.body["next_cursor"].is_null() && page.body["prev_cursor"].is_null());
    // The most similar first.
    let page = found(&app, "kristoferr").await;
    assert_eq!(page.column("order_number"), ["BL-2", "BL-1"]);
    // What is right of it must be there.
    let page = found(&app, "kristoferr+bl-1").await;
    assert_eq!(page.column("order_number"), ["BL-1"]);
    for q in ["kristoferr+bl-3", "bl-9", "xyzzyxyzzy", "90012345"] {
        let page = found(&app, q).await;
        assert_eq!(page.column("order_number"), [""; 0], "{q}");
    }
    // An exact hit is not mixed with similar ones.
    let page = found(&app, "kristofer").await;
    assert_eq!(page.column("order_number"), ["BL-2"]);
    assert_eq!(page.body.get("similar"), None);
    Ok(())
}
