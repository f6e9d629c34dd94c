//! A batch and its items, in their rows.

use envelope::{Metadata, RecordedEvent};
use events::{BatchEvent, BatchItemsDone, BatchKind, BatchSubmitted, ItemField, ItemOutcome, ItemResult};
use read_model::write::{BatchItemRow, BatchRow};

use super::recorded;
use crate::licensing::batches;
use crate::misfit::Misfit;

fn submitted(total: u32) -> BatchEvent {
    let submitted = BatchSubmitted {
        kind: BatchKind::SetPrice,
        total,
        dry_run: true,
    };
    submitted.into()
}

fn succeeded() -> ItemResult {
    ItemResult {
        outcome: ItemOutcome::Succeeded,
        target: Some("konkurranse-bilcross".into()),
        code: None,
        fields: Vec::new(),
    }
}

fn failed() -> ItemResult {
    let field = ItemField {
        pointer: "/price_ore".into(),
        code: "price_invalid".into(),
    };
    ItemResult {
        outcome: ItemOutcome::Failed,
        target: None,
        code: Some("validation_failed".into()),
        fields: vec![field],
    }
}

fn done(first: u32, results: Vec<ItemResult>) -> BatchEvent {
    BatchItemsDone { first, results }.into()
}

/// By a user, as the event of this number.
fn by_staff(number: u64) -> RecordedEvent {
    let metadata = Metadata {
        actor: Some("a-user".into()),
        ..Metadata::default()
    };
    RecordedEvent {
        metadata,
        ..recorded(number)
    }
}

/// The batch after these events, and the rows of its items.
fn batch(events: Vec<BatchEvent>) -> Result<(BatchRow, Vec<BatchItemRow>), Misfit> {
    let (mut row, mut items) = (None, Vec::new());
    for (number, event) in (1..).zip(events) {
        items.extend(batches::apply(&mut row, &by_staff(number), event)?);
    }
    row.map(|row| (row, items)).ok_or(Misfit::NoRow)
}

#[test]
fn a_batch_runs_until_its_last_item() {
    let (row, items) = batch(vec![submitted(3)]).unwrap();
    assert_eq!(
        (row.status.to_string(), row.finished_at),
        ("running".into(), None)
    );
    assert_eq!((row.total, row.succeeded, row.failed), (3, 0, 0));
    assert_eq!(row.kind.to_string(), "set_price");
    assert!(row.dry_run);
    assert_eq!(row.submitted_by.as_deref(), Some("a-user"));
    assert_eq!(row.submitted_at, recorded(1).recorded_at);
    assert!(items.is_empty());

    let first = done(1, vec![succeeded(), failed()]);
    let (row, items) = batch(vec![submitted(3), first.clone()]).unwrap();
    assert_eq!(
        (row.status.to_string(), row.finished_at),
        ("running".into(), None)
    );
    assert_eq!(
        (row.succeeded, row.failed, row.version, row.position),
        (1, 1, 2, 20)
    );
    assert_eq!(items.len(), 2);

    let (row, items) = batch(vec![submitted(3), first, done(3, vec![succeeded()])]).unwrap();
    let finished = Some(recorded(3).recorded_at);
    assert_eq!(
        (row.status.to_string(), row.finished_at),
        ("done".into(), finished)
    );
    assert_eq!(
        (row.succeeded, row.failed, row.version, row.position),
        (2, 1, 3, 30)
    );
    assert_eq!(row.submitted_at, recorded(1).recorded_at);
    assert_eq!(items.iter().map(|item| item.n).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn an_item_has_a_row_with_what_became_of_it() {
    let (row, items) = batch(vec![submitted(2), done(1, vec![succeeded(), failed()])]).unwrap();
    let [first, second] = &items[..] else {
        panic!("{} items", items.len());
    };
    assert_eq!(first.outcome.to_string(), "succeeded");
    assert_eq!(first.target.as_deref(), Some("konkurranse-bilcross"));
    assert_eq!((first.code.as_deref(), first.fields.0.get()), (None, "[]"));
    assert_eq!(second.outcome.to_string(), "failed");
    assert_eq!(
        (second.target.as_deref(), second.code.as_deref()),
        (None, Some("validation_failed"))
    );
    let fields = r#"[{"pointer":"/price_ore","code":"price_invalid"}]"#;
    assert_eq!(second.fields.0.get(), fields);
    assert_ne!(first.item_id, second.item_id);
    for item in &items {
        assert_eq!(item.batch_id, row.batch_id);
        assert_eq!((item.version, item.position), (2, 20));
    }
}

#[test]
fn what_does_not_follow_is_a_misfit_and_leaves_the_row_as_it_was() {
    let (before, _) = batch(vec![submitted(3), done(1, vec![failed()])]).unwrap();
    let long = |text: &str| "x".repeat(501 - text.len()) + text;
    let with = |change: &dyn Fn(&mut ItemResult)| {
        let mut result = failed();
        change(&mut result);
        done(2, vec![succeeded(), result])
    };
    let cases = [
        (submitted(3), Misfit::RowExists),
        (done(0, vec![succeeded()]), Misfit::ItemsOutOfOrder),
        (done(1, vec![succeeded()]), Misfit::ItemsOutOfOrder),
        (done(3, vec![succeeded()]), Misfit::ItemsOutOfOrder),
        (done(u32::MAX, vec![succeeded()]), Misfit::ItemsOutOfOrder),
        (done(2, vec![succeeded(); 3]), Misfit::OutOfRange("results")),
        (
            with(&|result| result.target = Some(long("target"))),
            Misfit::TooLong("target"),
        ),
        (
            with(&|result| result.code = Some(long("code"))),
            Misfit::TooLong("code"),
        ),
        (
            with(&|result| result.fields[0].pointer = long("/a")),
            Misfit::TooLong("pointer"),
        ),
        (
            with(&|result| result.fields[0].code = long("b")),
            Misfit::TooLong("code"),
        ),
        (
            with(&|result| result.fields = vec![result.fields[0].clone(); 101]),
            Misfit::OutOfRange("fields"),
        ),
    ];
    for (event, misfit) in cases {
        let mut row = Some(before.clone());
        let outcome = batches::apply(&mut row, &by_staff(3), event);
        assert_eq!(outcome.err(), Some(misfit));
        let row = row.unwrap();
        assert_eq!((row.succeeded, row.failed, row.version), (0, 1, 2), "{misfit}");
        assert_eq!(row.status.to_string(), "running", "{misfit}");
    }
    assert_eq!(batch(vec![done(1, vec![succeeded()])]).err(), Some(Misfit::NoRow));
    assert_eq!(batch(vec![submitted(0)]).err(), Some(Misfit::OutOfRange("total")));
}
