//! Every command in every state.

use chrono::TimeDelta;
use events::LicenseEvent;
use vocabulary::{LicenseStatus, Standing};

use super::{
    Expected, again, assert_decides, check_in, correct, corrected, correction, first, issued, license, now,
    reinstate, reinstated, revoke, revoked, suspend, suspended, unknown,
};
use crate::Refusal;

/// What is expected, in a word.
fn expected(word: &str) -> Expected {
    let event = match word {
        "nothing" => return Ok(Vec::new()),
        "unknown" => return Err(Refusal::Unknown),
        "state" => return Err(Refusal::LicenseState),
        "suspended" => suspended(),
        "reinstated" => reinstated(),
        "revoked" => revoked(),
        // The vehicle belongs to the corrected holder from then on, so the event says it again.
        "corrected" => corrected(Some("Kari Nordmann-Berg"), Some("AB12345")),
        "recorded" => unknown(2),
        "first" => first(2, Standing::Valid),
        "first, suspended" => first(2, Standing::WhileSuspended),
        "first, revoked" => first(2, Standing::AfterRevocation),
        "again" => again(2, Standing::Valid),
        "again, suspended" => again(2, Standing::WhileSuspended),
        "again, revoked" => again(2, Standing::AfterRevocation),
        other => panic!("{other}"),
    };
    Ok(vec![event])
}

type State = (Vec<LicenseEvent>, Option<LicenseStatus>, [&'static str; 5]);

/// Each with what it answers to suspend, reinstate, revoke, correct and a scan.
#[rustfmt::skip]
fn states() -> Vec<State> {
    use LicenseStatus::{CheckedIn, Issued, Revoked, Suspended};
    let entered = || first(1, Standing::Valid);
    vec![
        (vec![], None, ["unknown", "unknown", "unknown", "unknown", "recorded"]),
        (vec![unknown(1)], None, ["unknown", "unknown", "unknown", "unknown", "recorded"]),
        (vec![issued()], Some(Issued), ["suspended", "state", "revoked", "corrected", "first"]),
        (vec![unknown(1), issued()], Some(Issued), ["suspended", "state", "revoked", "corrected", "first"]),
        (vec![issued(), entered()], Some(CheckedIn), ["suspended", "state", "revoked", "state", "again"]),
        (vec![issued(), suspended()], Some(Suspended), ["nothing", "reinstated", "revoked", "corrected", "first, suspended"]),
        (vec![issued(), entered(), suspended()], Some(Suspended), ["nothing", "reinstated", "revoked", "state", "again, suspended"]),
        (vec![issued(), suspended(), reinstated()], Some(Issued), ["suspended", "state", "revoked", "corrected", "first"]),
        (vec![issued(), entered(), suspended(), reinstated()], Some(CheckedIn), ["suspended", "state", "revoked", "state", "again"]),
        (vec![issued(), revoked()], Some(Revoked), ["state", "state", "nothing", "state", "first, revoked"]),
        (vec![issued(), suspended(), revoked()], Some(Revoked), ["state", "state", "nothing", "state", "first, revoked"]),
        (vec![issued(), entered(), revoked()], Some(Revoked), ["state", "state", "nothing", "state", "again, revoked"]),
    ]
}

#[test]
fn each_state_answers_each_command() {
    let before = Some(now() - TimeDelta::hours(3));
    for (given, status, answers) in states() {
        let state = format!("{given:?}");
        assert_eq!(license(&given).status(), status, "{state}");
        let misspelled = correct(correction(Some("Kari Nordmann-Berg"), None));
        let commands = [suspend(), reinstate(), revoke(), misspelled, check_in(2, before)];
        for (command, answer) in commands.into_iter().zip(answers) {
            assert_decides(&state, &given, command, expected(answer));
        }
    }
}
