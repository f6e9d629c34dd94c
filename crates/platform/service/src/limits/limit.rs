//! One limit as it is written in the settings.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::pace::Pace;

/// The most of everything: more is no limit.
const MOST: u32 = 1_000_000;
/// How long a burst may take to fill up, in microseconds: an hour. No reader waits longer than that, and
/// Redis keeps nothing of it longer.
const LONGEST_REFILL_US: u64 = 3_600_000_000;

/// `10/s:100` is ten requests a second in the long run, and a hundred at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    count: NonZeroU32,
    unit: Unit,
    burst: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    const fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }

    const fn micros(self) -> u64 {
        match self {
            Self::Second => 1_000_000,
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
        }
    }
}

impl Limit {
    /// `count` a second, `burst` at once.
    pub(super) const fn per_second(count: u32, burst: u32) -> Self {
        let (Some(count), Some(burst)) = (NonZeroU32::new(count), NonZeroU32::new(burst)) else {
            panic!("a limit of none");
        };
        Self {
            count,
            unit: Unit::Second,
            burst,
        }
    }

    /// How it is counted. Rounded to the stricter side.
    pub(super) fn pace(self) -> Pace {
        Pace {
            interval_us: self.unit.micros().div_ceil(self.count.get().into()),
            burst: self.burst,
        }
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no limit such as 10/s:100, 300/min:50 or off");
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| digits)?;
            NonZeroU32::new(number).filter(|number| number.get() <= MOST)
        };
        let (rate, burst) = text.split_once(':').ok_or_else(wrong)?;
        let (count, unit) = rate.split_once('/').ok_or_else(wrong)?;
        let unit = Unit::ALL
            .into_iter()
            .find(|one| one.name() == unit)
            .ok_or_else(wrong)?;
        let (Some(count), Some(burst)) = (number(count), number(burst)) else {
            return Err(format!("{text:?}: both numbers are from 1 to {MOST}"));
        };
        let limit = Self { count, unit, burst };
        if limit.pace().capacity_us() > LONGEST_REFILL_US {
            return Err(format!(
                "{text:?}: a used burst takes more than an hour to fill up again"
            ));
        }
        Ok(limit)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, unit, burst } = self;
        write!(formatter, "{count}/{}:{burst}", unit.name())
    }
}
