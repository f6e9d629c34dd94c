//! The limit of each class.

use std::fmt;
use std::str::FromStr;

use super::class::Class;
use super::limit::Limit;

/// A limit for each class, or none. Written as `customer=10/s:100,staff=off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits([Option<Limit>; Class::ALL.len()]);

impl Limits {
    /// No limit at all.
    pub const OFF: Self = Self([None; Class::ALL.len()]);

    pub(super) fn of(&self, class: Class) -> Option<Limit> {
        self.0[class as usize]
    }
}

impl Default for Limits {
    /// docs/OPERATIONS.md has the reason for each.
    fn default() -> Self {
        Self(Class::ALL.map(|class| {
            Some(match class {
                Class::Address => Limit::per_second(200, 1000),
                Class::Public => Limit::per_second(100, 400),
                Class::Customer => Limit::per_second(10, 100),
                Class::Organizer => Limit::per_second(20, 400),
                Class::Staff => Limit::per_second(50, 500),
                Class::Webhook => Limit::per_second(200, 2000),
            })
        }))
    }
}

impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let mut limits = Self::default();
        let mut named = Vec::new();
        for entry in text.split(',') {
            let (name, limit) = entry
                .trim()
                .split_once('=')
                .ok_or_else(|| format!("{entry:?} is not such as customer=10/s:100"))?;
            let class = Class::parse(name).ok_or_else(|| {
                let known = Class::ALL.map(Class::name).join(", ");
                format!("{name:?} is no class: there are {known}")
            })?;
            if named.contains(&class) {
                return Err(format!("{name} is given twice"));
            }
            named.push(class);
            limits.0[class as usize] = match limit {
                "off" => None,
                limit => Some(limit.parse()?),
            };
        }
        Ok(limits)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::OFF {
            return formatter.write_str("off");
        }
        for (number, class) in Class::ALL.into_iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            match self.of(class) {
                Some(limit) => write!(formatter, "{comma}{}={limit}", class.name())?,
                None => write!(formatter, "{comma}{}=off", class.name())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Limits};

    fn parsed(text: &str) -> Result<Limits, String> {
        text.parse()
    }

    #[test]
    fn what_is_not_named_keeps_its_default() {
        let limits = parsed("customer=3/min:7, staff=off").unwrap();
        let shown = limits.to_string();
        assert!(
            shown.contains("customer=3/min:7") && shown.contains("staff=off"),
            "{shown}"
        );
        assert_eq!(limits.of(Class::Public), Limits::default().of(Class::Public));
        assert_eq!(limits.of(Class::Customer).unwrap().pace().interval_us, 20_000_000);
        for limits in [limits, Limits::default(), Limits::OFF] {
            assert_eq!(parsed(&limits.to_string()).unwrap(), limits);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, said) in [
            ("", "is not such as"),
            ("customer", "is not such as"),
            ("customer=off,", "is not such as"),
            ("client=1/s:1", "is no class: there are address, public"),
            ("customer=1/s:1,customer=off", "customer is given twice"),
            ("customer=10/s", "is no limit such as"),
            ("customer=10:100", "is no limit such as"),
            ("customer=10/d:100", "is no limit such as"),
            ("customer=0/s:1", "from 1 to 1000000"),
            ("customer=1/s:0", "from 1 to 1000000"),
            ("customer=+1/s:1", "from 1 to 1000000"),
            ("customer=1/s:1000001", "from 1 to 1000000"),
            ("customer=1.5/s:10", "from 1 to 1000000"),
            ("customer=99999999999/s:10", "from 1 to 1000000"),
            ("customer=1/h:2", "more than an hour"),
            ("off,customer=1/s:1", "is not such as"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
