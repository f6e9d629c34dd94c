use cqrs_es::test::TestFramework;
use events::{ErasedIn, ErasureGround, PersonErased, aggregate_type};
use uuid::Uuid;

use super::{Person, PersonCommand};

fn aggregates() -> Vec<ErasedIn> {
    vec![ErasedIn {
        aggregate_type: aggregate_type::ORDER.into(),
        aggregate_id: Uuid::from_u128(1),
    }]
}

fn erased(number: u128) -> PersonErased {
    PersonErased {
        erasure_id: Uuid::from_u128(number),
        ground: ErasureGround::Requested,
        aggregates: aggregates(),
    }
}

fn erase(number: u128) -> PersonCommand {
    PersonCommand::Erase {
        erasure_id: Uuid::from_u128(number),
        ground: ErasureGround::Requested,
        aggregates: aggregates(),
    }
}

#[test]
fn a_person_can_come_back_and_be_forgotten_again() {
    let framework = || TestFramework::<Person>::with(());
    framework()
        .given_no_previous_events()
        .when(erase(1))
        .then_expect_events(vec![erased(1).into()]);
    framework()
        .given(vec![erased(1).into()])
        .when(erase(2))
        .then_expect_events(vec![erased(2).into()]);
    framework()
        .given(vec![erased(1).into(), erased(2).into()])
        .when(erase(1))
        .then_expect_events(vec![]);
}
