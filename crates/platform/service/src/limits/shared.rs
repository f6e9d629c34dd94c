//! The limits that all instances share, in Redis.

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, RedisError, Script};

use super::pace::Pace;
use crate::redis::Redis;

/// Charges requests in Redis.
#[derive(Debug)]
pub(super) struct Shared {
    redis: Redis,
    script: Script,
}

impl Shared {
    pub(super) fn new(redis: Redis) -> Self {
        Self {
            redis,
            script: Script::new(include_str!("gcra.lua")),
        }
    }

    /// Charges a request under all these keys, if all allow it; and the debt of each then. Nothing without an answer that
    /// makes sense.
    pub(super) async fn charge(&self, limits: &[(String, Pace)]) -> Option<(bool, Vec<u64>)> {
        let mut invocation = self.script.prepare_invoke();
        for (key, pace) in limits {
            invocation.key(key).arg(pace.interval_us).arg(pace.capacity_us());
        }
        let charge = |mut connection: MultiplexedConnection| async move {
            let answer: Vec<u64> = invocation.invoke_async(&mut connection).await?;
            read(&answer, limits)
        };
        self.redis.ask(charge).await
    }
}

fn read(answer: &[u64], limits: &[(String, Pace)]) -> Result<(bool, Vec<u64>), RedisError> {
    let wrong = || RedisError::from((ErrorKind::UnexpectedReturnType, "no answer of the script"));
    let (admitted, debts) = answer.split_first().ok_or_else(wrong)?;
    let possible = debts
        .iter()
        .zip(limits)
        .all(|(debt, (_, pace))| *debt <= pace.capacity_us());
    if *admitted > 1 || debts.len() != limits.len() || !possible {
        return Err(wrong());
    }
    Ok((*admitted == 1, debts.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::limits::limit::Limit;

    #[test]
    fn an_answer_that_makes_no_sense_is_none() {
        let limits = [("key".to_owned(), Limit::per_second(1, 2).pace())];
        assert_eq!(read(&[1, 1_000_000], &limits).unwrap(), (true, vec![1_000_000]));
        assert_eq!(read(&[0, 2_000_000], &limits).unwrap(), (false, vec![2_000_000]));
        for wrong in [&[][..], &[1], &[2, 0], &[1, 2_000_001], &[1, 0, 0]] {
            assert!(read(wrong, &limits).is_err(), "{wrong:?}");
        }
    }
}
