//! Collects every field of a command that breaks a rule, so that one refusal names them all.

use envelope::Personal;

use crate::refusal::{Field, Refusal, Rule};

/// Collects the fields of one command that break a rule.
pub(crate) struct Findings {
    pub(crate) fields: Vec<Field>,
}

impl Findings {
    pub(crate) const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    pub(crate) fn add(&mut self, pointer: String, rule: Rule) {
        self.fields.push(Field { pointer, rule });
    }

    /// The value, or a finding at `pointer`.
    pub(crate) fn keep<T>(&mut self, pointer: String, checked: Result<T, Rule>) -> Option<T> {
        checked.map_err(|rule| self.add(pointer, rule)).ok()
    }

    /// The value, if anything but white space was given; a finding at `pointer` if it breaks a rule.
    pub(crate) fn keep_optional(
        &mut self,
        pointer: String,
        given: Option<&String>,
        check: impl Fn(&str) -> Result<String, Rule>,
    ) -> Option<Personal<String>> {
        let given = given.filter(|text| !text.trim().is_empty())?;
        self.keep(pointer, check(given)).map(Personal::new)
    }

    /// Refuses the command if anything was found.
    pub(crate) fn refuse(self) -> Result<(), Refusal> {
        if self.fields.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Invalid(self.fields))
        }
    }
}
