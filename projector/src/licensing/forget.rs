//! What a row shows of a holder who is forgotten: the same live as in a replay, where the events have lost the data already.

use chrono::NaiveDate;
use envelope::Blank as _;
use read_model::write::{LicenseRow, OrderRow, SuspensionRow};
use read_model::{Term, searched};
use serde_json::{Value, json};

use super::facts;

/// Forgets the holders of these lines.
pub(super) fn lines(row: &mut OrderRow, lines: &[u16]) {
    let Ok(Value::Array(mut all)) = serde_json::from_str(row.lines.0.get()) else {
        return;
    };
    let theirs = |line: &&mut Value| {
        let number = line["line"].as_u64();
        lines
            .iter()
            .any(|forgotten| number == Some(u64::from(*forgotten)))
    };
    for line in all.iter_mut().filter(theirs) {
        line["holder"] = json!({
            "name": String::blank(),
            "birth_date": NaiveDate::blank(),
            "phone": null,
            "email": null,
            "guardian": null,
        });
        line["vehicle"] = Value::Null;
    }
    row.search = searched(std::iter::once(Term::Number(&row.order_number)).chain(all.iter().flat_map(terms)));
    row.lines = facts::column(&all);
}

/// Forgets the holder of a license.
pub(super) fn holder(row: &mut LicenseRow) {
    row.holder_name = String::blank();
    row.holder_birth_date = NaiveDate::blank();
    row.holder_phone = None;
    row.holder_email = None;
    row.guardian = None;
    row.vehicle = None;
    row.search = searched(row.order_number.iter().map(|number| Term::Number(number)));
}

/// Forgets the suspended person, and what staff wrote of them.
pub(super) fn person(row: &mut SuspensionRow) {
    row.person_name = Some(String::blank());
    row.person_birth_date = Some(NaiveDate::blank());
    row.reason = String::blank();
    row.lift_reason = row.lift_reason.take().map(|_| String::blank());
    row.search = searched([Term::Words(&String::blank())]);
}

/// What a line is found by.
fn terms(line: &Value) -> Vec<Term<'_>> {
    let (holder, vehicle) = (&line["holder"], &line["vehicle"]);
    let numbers = ["registration", "vehicle_license", "chassis"].map(|name| vehicle[name].as_str());
    let words = [&holder["name"], &holder["email"]].map(|value| value.as_str().map(Term::Words));
    let phone = holder["phone"].as_str().map(Term::Phone);
    let numbers = numbers.map(|number| number.map(Term::Number));
    words
        .into_iter()
        .chain([phone])
        .chain(numbers)
        .flatten()
        .collect()
}
