//! What the facts mean: a function of them alone.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use query::Progress;
use service::health::Condition;

use super::answer::{Component, ComponentStatus, Data, Feature, FeatureStatus, Overall, StatusAnswer};
use super::words::{component_words, feature_words, labels, summary};

/// From when on what is shown counts as old. The projector says once a second how far the log is.
const LATE: Duration = Duration::from_secs(3);

/// What this process knows.
#[derive(Debug)]
pub(super) struct Facts {
    /// Its own checks.
    pub(super) checks: BTreeMap<&'static str, Condition>,
    /// How far the rows are.
    pub(super) rows: Progress,
    /// How far the rows of the reports are.
    pub(super) reports: Progress,
    /// Whether commands are taken; nothing without an address to ask, and before an answer.
    pub(super) commands: Option<bool>,
}

impl Facts {
    /// The worst of these checks; nothing if there are none of them.
    fn worst(&self, names: &[&str]) -> Option<ComponentStatus> {
        let of_check = |name: &&str| self.checks.get(name).copied();
        let found = names
            .iter()
            .filter_map(of_check)
            .map(|condition| match condition {
                Condition::Ok => ComponentStatus::Ok,
                Condition::Degraded => ComponentStatus::Degraded,
                Condition::Failing => ComponentStatus::Down,
            });
        found.max_by_key(|status| *status as u8)
    }

    /// A database whose check is also degraded while its rows are of another log, which is no fault of it.
    fn database(&self, names: &[&str]) -> ComponentStatus {
        match self.worst(names) {
            Some(ComponentStatus::Down) => ComponentStatus::Down,
            _ => ComponentStatus::Ok,
        }
    }
}

/// Whether the rows follow the log.
fn updates(database: ComponentStatus, rows: &Progress) -> ComponentStatus {
    match rows.lag {
        _ if database != ComponentStatus::Ok => ComponentStatus::Unknown,
        _ if rows.stale => ComponentStatus::Degraded,
        None => ComponentStatus::Unknown,
        Some(lag) if lag > LATE => ComponentStatus::Degraded,
        Some(_) => ComponentStatus::Ok,
    }
}

pub(super) fn judge(facts: &Facts, now: DateTime<Utc>) -> StatusAnswer {
    let read_database = facts.database(&["postgres", "schema"]);
    let updates = updates(read_database, &facts.rows);
    let reports_database = facts.database(&["reports_postgres", "reports_schema"]);
    let reports = match self::updates(reports_database, &facts.reports) {
        ComponentStatus::Unknown => reports_database,
        known => known,
    };
    let login = facts.worst(&["jwks"]).unwrap_or(ComponentStatus::Unknown);
    let commands = match facts.commands {
        Some(true) => ComponentStatus::Ok,
        Some(false) => ComponentStatus::Down,
        None => ComponentStatus::Unknown,
    };
    let components: Vec<Component> = [
        ("read_database", Some(read_database)),
        ("updates", Some(updates)),
        ("reports", Some(reports)),
        ("command_api", Some(commands)),
        ("login", Some(login)),
        ("redis", facts.worst(&["redis"])),
        ("license_keys", facts.worst(&["license_keys"])),
    ]
    .into_iter()
    .filter_map(|(name, status)| {
        let status = status?;
        let [message_nb, message_en] = component_words(name, status);
        Some(Component {
            name,
            status,
            message_nb,
            message_en,
            since: now,
        })
    })
    .collect();

    let public = shown(read_database, updates);
    let own = needing(login, public);
    let sent = needing(login, taken(commands));
    let features: Vec<Feature> = [
        ("browse", public),
        ("search", public),
        ("orders", own),
        ("buy", sent),
        ("check_in", sent),
        ("reports", needing(login, shown(reports_database, reports))),
        ("follow", own),
    ]
    .into_iter()
    .map(|(name, status)| {
        let [label_nb, label_en] = labels(name);
        let [message_nb, message_en] = feature_words(name, status);
        Feature {
            name,
            status,
            label_nb,
            label_en,
            message_nb,
            message_en,
        }
    })
    .collect();

    let status = overall(&components, &features);
    let [summary_nb, summary_en] = summary(&components, &features);
    let lag = facts.rows.lag;
    StatusAnswer {
        generated_at: now,
        status,
        summary_nb,
        summary_en,
        components,
        features,
        data: Data {
            position: facts.rows.checkpoint.position,
            epoch: facts.rows.checkpoint.epoch,
            as_of: lag.and_then(|lag| now.checked_sub_signed(TimeDelta::from_std(lag).ok()?)),
            lag_seconds: lag.map(|lag| lag.as_secs()),
        },
    }
}

/// What is read from a database whose rows follow the log so.
fn shown(database: ComponentStatus, updates: ComponentStatus) -> FeatureStatus {
    match (database, updates) {
        (ComponentStatus::Down, _) => FeatureStatus::Away,
        (_, ComponentStatus::Degraded) => FeatureStatus::Stale,
        _ => FeatureStatus::Works,
    }
}

fn taken(commands: ComponentStatus) -> FeatureStatus {
    match commands {
        ComponentStatus::Ok | ComponentStatus::Degraded => FeatureStatus::Works,
        ComponentStatus::Down => FeatureStatus::Away,
        ComponentStatus::Unknown => FeatureStatus::Unknown,
    }
}

/// Nothing that takes a login works without one.
fn needing(login: ComponentStatus, otherwise: FeatureStatus) -> FeatureStatus {
    if login == ComponentStatus::Down {
        FeatureStatus::Away
    } else {
        otherwise
    }
}

fn overall(components: &[Component], features: &[Feature]) -> Overall {
    let is_away = |name: &str| {
        let found = features.iter().find(|feature| feature.name == name);
        found.is_some_and(|feature| feature.status == FeatureStatus::Away)
    };
    let is_known = |status: FeatureStatus| status != FeatureStatus::Unknown;
    let buy = features.iter().find(|feature| feature.name == "buy");
    let buys = buy.is_some_and(|buy| is_known(buy.status) && !is_away("buy"));
    if is_away("browse") && !buys {
        return Overall::Down;
    }
    let fine =
        |component: &Component| matches!(component.status, ComponentStatus::Ok | ComponentStatus::Unknown);
    if components.iter().all(fine) {
        Overall::Ok
    } else {
        Overall::Degraded
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::Utc;
    use query::Progress;
    use service::health::Condition::{self, Degraded, Failing, Ok};

    use super::super::answer::{FeatureStatus, Overall, StatusAnswer};
    use super::{Facts, judge};

    fn rows(lag_s: Option<u64>) -> Progress {
        Progress {
            lag: lag_s.map(Duration::from_secs),
            ..Progress::default()
        }
    }

    fn facts(changes: &[(&'static str, Condition)]) -> Facts {
        let names = [
            "postgres",
            "schema",
            "reports_postgres",
            "reports_schema",
            "jwks",
            "redis",
        ];
        let mut checks: std::collections::BTreeMap<_, _> = names.map(|name| (name, Ok)).into();
        checks.extend(changes.iter().copied());
        Facts {
            checks,
            rows: rows(Some(1)),
            reports: rows(Some(1)),
            commands: Some(true),
        }
    }

    fn judged(facts: &Facts) -> StatusAnswer {
        judge(facts, Utc::now())
    }

    /// The features that do not simply work.
    fn others(answer: &StatusAnswer) -> Vec<(&'static str, FeatureStatus)> {
        let features = answer
            .features
            .iter()
            .map(|feature| (feature.name, feature.status));
        features
            .filter(|(_, status)| *status != FeatureStatus::Works)
            .collect()
    }

    #[test]
    fn what_does_not_work_follows_from_what_is_away() {
        use FeatureStatus::{Away, Stale, Unknown};
        let fine = judged(&facts(&[]));
        assert_eq!((fine.status, others(&fine)), (Overall::Ok, vec![]));
        assert_eq!(fine.summary_en, "Everything works.");

        let without_redis = judged(&facts(&[("redis", Degraded)]));
        assert_eq!(
            (without_redis.status, others(&without_redis)),
            (Overall::Degraded, vec![])
        );

        let database = judged(&facts(&[("postgres", Failing)]));
        let away = ["browse", "search", "orders", "follow"].map(|name| (name, Away));
        assert_eq!(
            (database.status, others(&database)),
            (Overall::Degraded, away.to_vec())
        );

        let login = judged(&facts(&[("jwks", Failing)]));
        let away = ["orders", "buy", "check_in", "reports", "follow"].map(|name| (name, Away));
        assert_eq!((login.status, others(&login)), (Overall::Degraded, away.to_vec()));

        let mut late = facts(&[]);
        late.rows = rows(Some(60));
        let late = judged(&late);
        let stale = ["browse", "search", "orders", "follow"].map(|name| (name, Stale));
        assert_eq!((late.status, others(&late)), (Overall::Degraded, stale.to_vec()));
        assert_eq!(late.data.lag_seconds, Some(60));

        // Rows of another log are late, whatever the moment.
        let mut other_log = facts(&[("postgres", Degraded)]);
        other_log.rows.stale = true;
        assert_eq!(others(&judged(&other_log)), stale.to_vec());

        let mut commands = facts(&[]);
        commands.commands = Some(false);
        let away = ["buy", "check_in"].map(|name| (name, Away));
        assert_eq!(others(&judged(&commands)), away.to_vec());
        commands.checks.insert("schema", Failing);
        assert_eq!(judged(&commands).status, Overall::Down);
        let mut facts = facts(&[]);
        facts.commands = None;
        let answer = judged(&facts);
        let unknown = ["buy", "check_in"].map(|name| (name, Unknown));
        assert_eq!((answer.status, others(&answer)), (Overall::Ok, unknown.to_vec()));
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let mut starting = facts(&[]);
        (starting.rows, starting.reports) = (rows(None), rows(None));
        let answer = judged(&starting);
        assert_eq!(others(&answer), vec![]);
        assert_eq!((answer.data.as_of, answer.data.lag_seconds), (None, None));
        // Checks that this process does not have are no components.
        assert!(
            !answer
                .components
                .iter()
                .any(|component| component.name == "license_keys")
        );
    }

    #[test]
    fn everything_has_words_in_both_languages() {
        let states = [
            facts(&[]),
            facts(&[
                ("postgres", Failing),
                ("reports_postgres", Failing),
                ("jwks", Failing),
                ("redis", Degraded),
                ("license_keys", Failing),
            ]),
            facts(&[("license_keys", Degraded)]),
        ];
        for facts in &states {
            let answer = judged(facts);
            for component in &answer.components {
                assert!(
                    !component.message_nb.is_empty() && !component.message_en.is_empty(),
                    "{component:?}"
                );
            }
            for feature in &answer.features {
                let words = [
                    feature.label_nb,
                    feature.label_en,
                    feature.message_nb,
                    feature.message_en,
                ];
                assert!(words.iter().all(|words| !words.is_empty()), "{feature:?}");
            }
        }
        let said = judged(&states[1]).summary_nb;
        assert!(
            said.contains("Virker ikke: ") && !said.contains("Virker: "),
            "{said}"
        );
    }
}
