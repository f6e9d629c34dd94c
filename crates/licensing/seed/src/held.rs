//! Which days and caps holders have used up: what the log's claims would refuse is not ordered here.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};

use chrono::NaiveDate;
use events::{OrderLine, OrderPlaced};

/// Days and caps that are taken. They stay so after an order has ended: who did not pay does not come back for that day.
#[derive(Default)]
pub(crate) struct Held {
    /// Of each day from today on, a hash of holder and type.
    days: BTreeMap<NaiveDate, HashSet<u64>>,
    /// Of the types with a cap.
    caps: HashMap<u64, u16>,
}

impl Held {
    /// Takes what the order needs. If some of it is taken, takes nothing and returns false.
    pub(crate) fn take(&mut self, placed: &OrderPlaced, today: NaiveDate) -> bool {
        while self.days.first_key_value().is_some_and(|(day, _)| *day < today) {
            self.days.pop_first();
        }
        let days = |line: &OrderLine| line.activity_date.iter_days().take(line.activity_days.into());
        let mut caps: HashMap<u64, u16> = HashMap::new();
        for line in &placed.lines {
            let of_holder = hash(line);
            let taken = |day| {
                self.days
                    .get(&day)
                    .is_some_and(|taken| taken.contains(&of_holder))
            };
            if days(line).any(taken) {
                return false;
            }
            if let Some(most) = line.lifetime_cap {
                let before = self.caps.get(&of_holder).copied().unwrap_or_default();
                let used = caps.entry(of_holder).or_insert(before);
                *used += 1;
                if *used > most {
                    return false;
                }
            }
        }
        self.caps.extend(caps);
        for line in &placed.lines {
            for day in days(line) {
                self.days.entry(day).or_default().insert(hash(line));
            }
        }
        true
    }
}

/// Of holder and type.
fn hash(line: &OrderLine) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.holder_id.hash(&mut hasher);
    line.license_type.code.hash(&mut hasher);
    hasher.finish()
}
