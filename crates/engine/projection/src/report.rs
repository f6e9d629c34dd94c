//! The report of a command: facts, problems, and what could not be examined. Text for people, JSON and an exit status for
//! machines.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::projection::Projection;

/// Facts and the verdict on them.
#[derive(Debug)]
pub struct Report {
    /// Program and command, for people.
    command: String,
    /// The text of each verdict.
    words: [&'static str; 3],
    facts: Vec<Fact>,
    problems: Vec<String>,
    unknown: Vec<String>,
}

#[derive(Debug)]
struct Fact {
    name: &'static str,
    said: String,
    value: Value,
}

impl Report {
    /// An empty report of an examination by `command`.
    pub fn new(projection: &impl Projection, command: &str) -> Self {
        Self::named(format!("{} {command}", projection.commands().program))
    }

    fn named(command: String) -> Self {
        Self {
            command,
            words: ["all is well", "NOT WELL", "could not be examined"],
            facts: Vec::new(),
            problems: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// An empty report of a change by `command`.
    pub fn of_a_change(projection: &impl Projection, command: &str) -> Self {
        Self {
            words: ["done", "REFUSED", "could not be done"],
            ..Self::new(projection, command)
        }
    }

    /// A fact, in both forms.
    pub(crate) fn fact(&mut self, name: &'static str, value: Value, said: impl Into<String>) {
        let said = said.into();
        self.facts.push(Fact { name, said, value });
    }

    /// A problem.
    pub fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Something that could not be examined.
    pub fn unknown(&mut self, reason: impl Into<String>) {
        self.unknown.push(reason.into());
    }

    /// Prints the report on standard output and gives the exit status: 0 when all is well, 1 when there are problems, 2 when
    /// there are none, but not everything could be examined.
    pub fn tell(&self, as_json: bool) -> ExitCode {
        let text = if as_json {
            self.value().to_string()
        } else {
            self.text()
        };
        // The exit status counts, also if standard output is closed.
        let _ = writeln!(io::stdout().lock(), "{text}");
        match self.verdict() {
            "well" => ExitCode::SUCCESS,
            "unwell" => ExitCode::from(1),
            _ => ExitCode::from(2),
        }
    }

    fn verdict(&self) -> &'static str {
        if !self.problems.is_empty() {
            "unwell"
        } else if !self.unknown.is_empty() {
            "unknown"
        } else {
            "well"
        }
    }

    /// The report for machines.
    pub fn value(&self) -> Value {
        let mut object = Map::new();
        object.insert("verdict".into(), self.verdict().into());
        object.insert("problems".into(), json!(self.problems));
        object.insert("unknown".into(), json!(self.unknown));
        let facts = self.facts.iter();
        object.extend(facts.map(|fact| (fact.name.to_owned(), fact.value.clone())));
        Value::Object(object)
    }

    fn text(&self) -> String {
        let [well, unwell, unknown] = self.words;
        let verdict = match self.verdict() {
            "well" => well,
            "unwell" => unwell,
            _ => unknown,
        };
        let mut lines = vec![format!("{}: {verdict}", self.command)];
        lines.extend(self.problems.iter().map(|problem| format!("  ! {problem}")));
        lines.extend(self.unknown.iter().map(|reason| format!("  ? {reason}")));
        for Fact { name, said, .. } in &self.facts {
            lines.push(format!("    {:<13} {said}", name.replace('_', " ")));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Report;

    #[test]
    fn what_is_wrong_outweighs_what_is_not_known() {
        let mut report = Report::named("bank status".into());
        report.fact("parked", json!(3), "3 events");
        assert_eq!(
            report.text(),
            "bank status: all is well\n    parked        3 events"
        );
        report.unknown("the log does not answer");
        assert_eq!(report.verdict(), "unknown");
        report.problem("3 events are parked");
        let json = report.value();
        assert_eq!(
            json,
            json!({"verdict": "unwell", "problems": ["3 events are parked"], "unknown": ["the log does not answer"], "parked": 3})
        );
        assert!(
            report
                .text()
                .starts_with("bank status: NOT WELL\n  ! 3 events are parked\n  ? the log")
        );
    }
}
