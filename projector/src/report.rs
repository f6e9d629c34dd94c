//! What a look at the system found: facts, what is wrong with them, and whether it could be told at all. For people as
//! text, for machines as JSON and as exit status.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

/// Facts and the verdict on them.
pub(crate) struct Report {
    command: &'static str,
    /// How each verdict is said.
    words: [&'static str; 3],
    facts: Vec<Fact>,
    problems: Vec<String>,
    unknown: Vec<String>,
}

struct Fact {
    name: &'static str,
    said: String,
    value: Value,
}

impl Report {
    /// Nothing known yet, and nothing wrong.
    pub(crate) fn new(command: &'static str) -> Self {
        Self {
            command,
            words: ["all is well", "NOT WELL", "could not be told"],
            facts: Vec::new(),
            problems: Vec::new(),
            unknown: Vec::new(),
        }
    }

    /// Of something that is to be done, and not only looked at.
    pub(crate) fn of_a_change(command: &'static str) -> Self {
        Self {
            words: ["done", "REFUSED", "could not be done"],
            ..Self::new(command)
        }
    }

    /// Something seen, in both forms.
    pub(crate) fn fact(&mut self, name: &'static str, value: Value, said: impl Into<String>) {
        let said = said.into();
        self.facts.push(Fact { name, said, value });
    }

    /// Something that is not well.
    pub(crate) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// Something that could not be looked at.
    pub(crate) fn unknown(&mut self, reason: impl Into<String>) {
        self.unknown.push(reason.into());
    }

    /// Says everything on standard output and gives the exit status: 0 when all is well, 1 when it is not, 2 when
    /// nothing wrong was found, but not everything could be looked at.
    pub(crate) fn tell(&self, as_json: bool) -> ExitCode {
        let told = if as_json {
            self.value().to_string()
        } else {
            self.text()
        };
        // A reader that went away still gets the exit status.
        let _ = writeln!(io::stdout().lock(), "{told}");
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

    /// Everything, for machines.
    pub(crate) fn value(&self) -> Value {
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
        let mut lines = vec![format!("projector {}: {verdict}", self.command)];
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
        let mut report = Report::new("status");
        report.fact("parked", json!(3), "3 events");
        assert_eq!(
            report.text(),
            "projector status: all is well\n    parked        3 events"
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
                .starts_with("projector status: NOT WELL\n  ! 3 events are parked\n  ? the log")
        );
    }
}
