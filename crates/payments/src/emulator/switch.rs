//! The faults in force, and whether one applies now.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::faults::{Fault, Faults, Hold, Operation, Provider, Rule};

/// What a fault may apply to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) provider: Provider,
    /// What a merchant asked for; none on the customer's page, in the portal and for a webhook.
    pub(super) operation: Option<Operation>,
    pub(super) reference: &'a str,
    pub(super) payment_id: &'a str,
}

pub(super) struct FaultSwitch {
    /// As told, for those who ask and for those who wait for a hold to end.
    told: watch::Sender<Faults>,
    active: Mutex<Active>,
}

#[derive(Default)]
struct Active {
    rules: Vec<Rule>,
    /// How often each rule has applied.
    applied: Vec<u64>,
    dice: u64,
}

impl FaultSwitch {
    pub(super) fn new(faults: Faults) -> Self {
        let switch = Self {
            told: watch::Sender::default(),
            active: Mutex::default(),
        };
        switch.set(faults);
        switch
    }

    /// The faults in force, and how often each of their rules has applied.
    pub(super) fn get(&self) -> (Faults, Vec<u64>) {
        (self.told.borrow().clone(), self.lock().applied.clone())
    }

    pub(super) fn set(&self, faults: Faults) {
        let rules = faults.as_rules();
        *self.lock() = Active {
            applied: vec![0; rules.len()],
            rules,
            dice: faults.seed,
        };
        self.told.send_replace(faults);
    }

    /// The first fault for `subject` that `pick` takes, if one applies now. It counts as applied.
    pub(super) fn take<T>(&self, subject: Subject<'_>, pick: impl Fn(Fault) -> Option<T>) -> Option<T> {
        let mut active = self.lock();
        let Active { rules, applied, dice } = &mut *active;
        for (rule, applied) in rules.iter().zip(applied) {
            let Some(picked) = pick(rule.fault) else { continue };
            if !covers(rule, subject) || rule.next.is_some_and(|next| *applied >= next) {
                continue;
            }
            if rule.probability.is_some_and(|odds| roll(dice) >= odds) {
                continue;
            }
            *applied += 1;
            return Some(picked);
        }
        None
    }

    /// As [`take`](Self::take), for a fault without a number.
    pub(super) fn applies(&self, subject: Subject<'_>, fault: Fault) -> bool {
        self.take(subject, |found| (found == fault).then_some(()))
            .is_some()
    }

    pub(super) fn holds(&self, hold: Hold) -> bool {
        self.told.borrow().hold == Some(hold)
    }

    /// Waits until `hold` is not set, or no longer.
    pub(super) async fn let_go(&self, hold: Hold) {
        // The sender is this switch: it is there.
        let _ = self
            .told
            .subscribe()
            .wait_for(|faults| faults.hold != Some(hold))
            .await;
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn covers(rule: &Rule, subject: Subject<'_>) -> bool {
    let named = |reference: &String| reference == subject.reference || reference == subject.payment_id;
    rule.provider.is_none_or(|provider| provider == subject.provider)
        && (rule.operation.is_none() || rule.operation == subject.operation)
        && rule.reference.as_ref().is_none_or(named)
}

/// The next number in `0.0..1.0`, by `SplitMix64`.
fn roll(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // 32 bits fit a float exactly.
    f64::from(u32::try_from(z >> 32).unwrap_or(0)) / f64::from(u32::MAX) * (1.0 - f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(json: &str) -> FaultSwitch {
        FaultSwitch::new(serde_json::from_str(json).unwrap())
    }

    fn subject(provider: Provider, operation: Operation, reference: &str) -> Subject<'_> {
        Subject {
            provider,
            operation: Some(operation),
            reference,
            payment_id: "the-id",
        }
    }

    #[test]
    fn a_scope_narrows() {
        let all = subject(Provider::Vipps, Operation::Capture, "a");
        let narrowed = |scope: &str, subject: Subject<'_>| {
            switch(&format!(r#"{{"rules":[{{"fault":"answer_lost",{scope}}}]}}"#))
                .applies(subject, Fault::AnswerLost)
        };
        assert!(narrowed(r#""provider":"vipps""#, all));
        assert!(!narrowed(r#""provider":"nexi""#, all));
        assert!(narrowed(r#""operation":"capture""#, all));
        assert!(!narrowed(r#""operation":"refund""#, all));
        assert!(narrowed(r#""reference":"a""#, all));
        assert!(narrowed(r#""reference":"the-id""#, all));
        assert!(!narrowed(r#""reference":"b""#, all));
        assert!(!narrowed(r#""probability":0"#, all));
        assert!(narrowed(r#""probability":1"#, all));
    }

    #[test]
    fn the_next_two_are_two_and_are_counted() {
        let switch = switch(r#"{"rules":[{"fault":"decline","next":2}]}"#);
        let one = subject(Provider::Nexi, Operation::Get, "a");
        let hits = (0..5).filter(|_| switch.applies(one, Fault::Decline)).count();
        assert_eq!((hits, switch.get().1), (2, vec![2]));
        assert!(!switch.applies(one, Fault::Abandon));
    }

    #[test]
    fn the_dice_are_fair_and_one_seed_is_one_sequence() {
        let rolls = |seed: u64| {
            let json = format!(r#"{{"rules":[{{"fault":"decline","probability":0.3}}],"seed":{seed}}}"#);
            let switch = switch(&json);
            let one = subject(Provider::Vipps, Operation::Get, "a");
            (0..1000)
                .map(|_| switch.applies(one, Fault::Decline))
                .collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        let hits = rolls(7).into_iter().filter(|hit| *hit).count();
        assert!((250..350).contains(&hits), "{hits}");
    }
}
