//! What a client is told: the headers of `draft-ietf-httpapi-ratelimit-headers`, and the problem of a refused request.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::class::Class;
use super::pace::{Pace, seconds};
use crate::problem::Problem;

/// The limits that count for the request.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left of them.
const STATE: HeaderName = HeaderName::from_static("ratelimit");
/// The same of the limit of which the least is left, for clients that know the earlier drafts.
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// A limit after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) class: Class,
    pub(super) pace: Pace,
    pub(super) debt_us: u64,
}

/// Whether a request is admitted, and what is left of its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub(super) refused: bool,
    pub(super) states: Vec<State>,
}

impl Verdict {
    /// The problem, if the request is refused.
    pub fn refusal(&self) -> Option<Problem> {
        let (class, wait_us) = self.longest_wait()?;
        Some(problem(class, seconds(wait_us)))
    }

    /// The class that refuses the request for the longest time, and that time.
    pub(super) fn longest_wait(&self) -> Option<(Class, u64)> {
        let waits = self
            .states
            .iter()
            .map(|state| (state.class, state.pace.wait_us(state.debt_us)));
        waits.max_by_key(|(_, wait)| *wait).filter(|_| self.refused)
    }

    /// Adds what is left to the headers of an answer.
    pub fn mark(&self, headers: &mut HeaderMap) {
        let least = self
            .states
            .iter()
            .min_by_key(|state| state.pace.remaining(state.debt_us));
        let Some(least) = least else {
            return;
        };
        let (mut policy, mut left) = (String::new(), String::new());
        for State { class, pace, debt_us } in &self.states {
            let comma = if policy.is_empty() { "" } else { ", " };
            let name = class.name();
            // Writing to a string cannot fail.
            let _ = write!(policy, "{comma}\"{name}\";q={};w={}", pace.burst, pace.window_s());
            let _ = write!(
                left,
                "{comma}\"{name}\";r={};t={}",
                pace.remaining(*debt_us),
                seconds(*debt_us)
            );
        }
        for (name, value) in [(POLICY, policy), (STATE, left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers.insert(LIMIT, least.pace.burst.get().into());
        headers.insert(REMAINING, least.pace.remaining(least.debt_us).into());
        headers.insert(RESET, seconds(least.debt_us).into());
    }
}

/// The problem of a request over its limit, as documents show it.
pub(crate) fn limited() -> Problem {
    problem(Class::Customer, 1)
}

fn problem(class: Class, wait_s: u64) -> Problem {
    let (message_nb, message_en) = match class {
        Class::Address | Class::Public | Class::Webhook => (
            "Det kommer for mange forespørsler fra nettet du bruker. Vent litt og prøv igjen.",
            "Too many requests come from the network that you use. Wait a moment and try again.",
        ),
        Class::Customer | Class::Organizer | Class::Staff => (
            "Du har sendt for mange forespørsler. Vent litt og prøv igjen.",
            "You have sent too many requests. Wait a moment and try again.",
        ),
    };
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        message_nb,
        message_en,
    )
    .detail(format!("The limit {:?} is used up.", class.name()))
    .retry_after(u32::try_from(wait_s.max(1)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};
    use axum::response::IntoResponse as _;

    use super::{LIMIT, POLICY, REMAINING, RESET, STATE, State, Verdict};
    use crate::limits::class::Class;
    use crate::limits::limit::Limit;

    fn state(class: Class, limit: &str, debt_us: u64) -> State {
        let pace = limit.parse::<Limit>().unwrap().pace();
        State { class, pace, debt_us }
    }

    #[test]
    fn every_limit_is_in_the_headers() {
        let verdict = Verdict {
            refused: false,
            states: vec![
                state(Class::Address, "200/s:1000", 5_000),
                state(Class::Customer, "10/min:25", 150_000_000),
            ],
        };
        assert!(
            verdict.refusal().is_none(),
            "the last request of a burst is admitted"
        );
        let mut headers = HeaderMap::new();
        verdict.mark(&mut headers);
        assert_eq!(headers[POLICY], "\"address\";q=1000;w=5, \"customer\";q=25;w=150");
        assert_eq!(headers[STATE], "\"address\";r=999;t=1, \"customer\";r=0;t=150");
        let least = [LIMIT, REMAINING, RESET].map(|name| headers[name].clone());
        assert_eq!(least, ["25", "0", "150"]);
        let mut none = HeaderMap::new();
        Verdict::default().mark(&mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn a_refusal_says_when_the_slowest_limit_lets_in_again() {
        let verdict = Verdict {
            refused: true,
            states: vec![
                state(Class::Address, "1/s:2", 1_000_001),
                state(Class::Customer, "10/min:5", 27_400_000),
            ],
        };
        let response = verdict.refusal().unwrap().into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "4", "3.4 seconds");
        assert_eq!(verdict.longest_wait(), Some((Class::Customer, 3_400_000)));
    }
}
