use cqrs_es::Aggregate as _;
use cqrs_es::test::TestFramework;
use events::{BatchItemsDone, BatchSubmitted, ItemResult};
use proptest::prelude::*;
use vocabulary::{BatchKind, BatchStatus, ItemOutcome};

use super::{Batch, BatchCommand, MAX_ITEMS};
use crate::{Refusal, Rule};

fn submitted(total: u32) -> BatchSubmitted {
    BatchSubmitted {
        kind: BatchKind::SetPrice,
        total,
        dry_run: false,
    }
}

fn result(outcome: ItemOutcome) -> ItemResult {
    ItemResult {
        outcome,
        target: None,
        code: None,
        fields: Vec::new(),
    }
}

fn done(first: u32, count: usize) -> BatchItemsDone {
    BatchItemsDone {
        first,
        results: vec![result(ItemOutcome::Succeeded); count],
    }
}

#[test]
fn a_batch_is_submitted_once() {
    TestFramework::<Batch>::with(())
        .given_no_previous_events()
        .when(BatchCommand::Submit(submitted(MAX_ITEMS)))
        .then_expect_events(vec![submitted(MAX_ITEMS).into()]);
    TestFramework::<Batch>::with(())
        .given(vec![submitted(1).into()])
        .when(BatchCommand::Submit(submitted(1)))
        .then_expect_error(Refusal::Exists);
}

#[test]
fn a_batch_has_one_to_ten_thousand_items() {
    for total in [0, MAX_ITEMS + 1, u32::MAX] {
        TestFramework::<Batch>::with(())
            .given_no_previous_events()
            .when(BatchCommand::Submit(submitted(total)))
            .then_expect_error(Refusal::field("/items", Rule::ItemCount));
    }
}

#[test]
fn items_are_noted_in_their_order_and_once() {
    let given = || TestFramework::<Batch>::with(()).given(vec![submitted(5).into(), done(1, 2).into()]);
    given()
        .when(BatchCommand::NoteDone(done(3, 3)))
        .then_expect_events(vec![done(3, 3).into()]);
    for again in [done(1, 2), done(1, 1), done(2, 1), done(3, 0), done(0, 0)] {
        given()
            .when(BatchCommand::NoteDone(again))
            .then_expect_events(vec![]);
    }
    for wrong in [done(4, 1), done(2, 2), done(3, 4), done(0, 3), done(u32::MAX, 1)] {
        given()
            .when(BatchCommand::NoteDone(wrong))
            .then_expect_error(Refusal::Unknown);
    }
}

#[test]
fn nothing_is_noted_of_a_batch_that_was_not_submitted() {
    TestFramework::<Batch>::with(())
        .given_no_previous_events()
        .when(BatchCommand::NoteDone(done(1, 1)))
        .then_expect_error(Refusal::Unknown);
}

proptest! {
    #[test]
    fn each_item_counts_once_however_they_are_noted(
        outcomes in proptest::collection::vec(any::<bool>(), 1..60),
        cuts in proptest::collection::vec((0_usize..60, 0_usize..20), 0..40),
    ) {
        let outcomes: Vec<_> = outcomes
            .into_iter()
            .map(|done| result(if done { ItemOutcome::Succeeded } else { ItemOutcome::Failed }))
            .collect();
        let total = u32::try_from(outcomes.len()).unwrap();
        let mut batch = Batch::default();
        batch.apply(submitted(total).into());
        let all = (0..outcomes.len()).map(|at| (at, 1));
        for (at, length) in cuts.into_iter().chain(all) {
            let results: Vec<_> = outcomes.iter().skip(at).take(length).cloned().collect();
            let asked = BatchItemsDone { first: u32::try_from(at).unwrap() + 1, results };
            let before = batch.clone();
            if let Ok(Some(event)) = before.decide(BatchCommand::NoteDone(asked)) {
                batch.apply(event);
            }
        }
        let failed = outcomes.iter().filter(|result| result.outcome == ItemOutcome::Failed).count();
        prop_assert_eq!(batch.done(), total);
        prop_assert_eq!(batch.failed, u32::try_from(failed).unwrap());
        prop_assert_eq!(batch.status(), BatchStatus::Done);
    }
}
