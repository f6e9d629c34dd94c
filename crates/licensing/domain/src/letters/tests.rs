use cqrs_es::test::TestFramework;
use envelope::Personal;
use events::{LetterRecipientErased, LetterRefused, LetterSent, LetterUndeliverable, LettersEvent};
use uuid::Uuid;
use vocabulary::{LetterFailure, LetterKind};

use super::{Letter, LetterOutcome, Letters, LettersCommand, Recipient, SmtpReply};
use crate::ids::letter_id;

const ORDER: Uuid = Uuid::from_u128(1);
const KARI: Uuid = Uuid::from_u128(2);
const OLA: Uuid = Uuid::from_u128(3);

fn letter(kind: LetterKind, receipt_number: Option<&str>) -> Letter {
    Letter {
        order_id: ORDER,
        order_number: "BL-00000-00000".into(),
        kind,
        receipt_number: receipt_number.map(str::to_owned),
    }
}

fn licenses() -> Letter {
    letter(LetterKind::License, None)
}

fn receipt() -> Letter {
    letter(LetterKind::Receipt, Some("2026-000001"))
}

fn to(id: Uuid) -> Recipient {
    Recipient {
        id,
        address: Personal::new("kari@example.no".into()),
    }
}

fn send(letter: Letter, id: Uuid) -> LettersCommand {
    let outcome = LetterOutcome::Sent {
        to: to(id),
        message_id: "<1@example.no>".into(),
        documents: 1,
    };
    LettersCommand::End { letter, outcome }
}

fn refuse(letter: Letter) -> LettersCommand {
    let outcome = LetterOutcome::Refused {
        to: to(KARI),
        message_id: "<1@example.no>".into(),
        reply: SmtpReply {
            code: 550,
            enhanced_status: Some("5.1.1".into()),
        },
    };
    LettersCommand::End { letter, outcome }
}

fn sent(letter: &Letter, id: Uuid) -> LettersEvent {
    LetterSent {
        letter_id: letter.id(),
        order_id: ORDER,
        order_number: "BL-00000-00000".into(),
        kind: letter.kind,
        receipt_number: letter.receipt_number.clone(),
        recipient_id: id,
        to: Personal::of(id, "kari@example.no".into()),
        message_id: "<1@example.no>".into(),
        documents: 1,
    }
    .into()
}

fn refused(letter: &Letter) -> LettersEvent {
    LetterRefused {
        letter_id: letter.id(),
        order_id: ORDER,
        order_number: "BL-00000-00000".into(),
        kind: letter.kind,
        receipt_number: letter.receipt_number.clone(),
        recipient_id: KARI,
        to: Personal::of(KARI, "kari@example.no".into()),
        message_id: "<1@example.no>".into(),
        smtp_code: 550,
        enhanced_status: Some("5.1.1".into()),
    }
    .into()
}

fn erase(person_id: Uuid) -> LettersCommand {
    LettersCommand::ErasePerson { person_id }
}

#[test]
fn each_letter_has_one_end() {
    let framework = || TestFramework::<Letters>::with(());
    framework()
        .given_no_previous_events()
        .when(send(licenses(), KARI))
        .then_expect_events(vec![sent(&licenses(), KARI)]);
    // Recorded again after a crash, by another worker, or with another outcome.
    for again in [send(licenses(), KARI), send(licenses(), OLA), refuse(licenses())] {
        framework()
            .given(vec![sent(&licenses(), KARI)])
            .when(again)
            .then_expect_events(vec![]);
    }
    framework()
        .given(vec![sent(&licenses(), KARI)])
        .when(refuse(receipt()))
        .then_expect_events(vec![refused(&receipt())]);
}

#[test]
fn a_letter_without_an_address_is_undeliverable() {
    let outcome = LetterOutcome::Undeliverable {
        reason: LetterFailure::NoAddress,
        to: None,
        reply: None,
    };
    let undeliverable = LetterUndeliverable {
        letter_id: receipt().id(),
        order_id: ORDER,
        order_number: "BL-00000-00000".into(),
        kind: LetterKind::Receipt,
        receipt_number: Some("2026-000001".into()),
        reason: LetterFailure::NoAddress,
        recipient_id: None,
        to: None,
        smtp_code: None,
        enhanced_status: None,
    };
    let letter = receipt();
    TestFramework::<Letters>::with(())
        .given_no_previous_events()
        .when(LettersCommand::End { letter, outcome })
        .then_expect_events(vec![undeliverable.into()]);
}

#[test]
fn an_erasure_names_the_letters_of_that_person_once() {
    let framework = || TestFramework::<Letters>::with(());
    let erased = LetterRecipientErased {
        recipient_id: KARI,
        letter_ids: vec![licenses().id()],
    };
    let given = || vec![sent(&licenses(), KARI), sent(&receipt(), OLA)];
    framework()
        .given(given())
        .when(erase(KARI))
        .then_expect_events(vec![erased.clone().into()]);
    let mut after = given();
    after.push(erased.into());
    framework()
        .given(after.clone())
        .when(erase(KARI))
        .then_expect_events(vec![]);
    // What was sent stays sent.
    framework()
        .given(after)
        .when(send(licenses(), KARI))
        .then_expect_events(vec![]);
}

#[test]
fn the_address_belongs_to_the_person() {
    let LettersEvent::LetterSent(sent) = super::ended(
        licenses(),
        LetterOutcome::Sent {
            to: to(OLA),
            message_id: String::new(),
            documents: 0,
        },
    ) else {
        unreachable!("it was sent");
    };
    assert_eq!(sent.to.person(), Some(OLA));
}

#[test]
fn letters_are_told_apart_by_order_kind_and_number() {
    let ids = [
        letter_id(ORDER, LetterKind::License, None),
        letter_id(ORDER, LetterKind::Receipt, Some("2026-000001")),
        letter_id(ORDER, LetterKind::Receipt, Some("2026-000002")),
        letter_id(OLA, LetterKind::License, None),
    ];
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}
