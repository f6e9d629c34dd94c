//! `GET /api/v1/licenses/{license_id}/verification`: what anyone may know who holds a license in hand, found by the id in its
//! QR code. Ids are random: none can be guessed.

use axum::extract::State;
use axum::response::Response;
use query::{Access, Audience, Content, Parameters, Reads, Record};
use read_model::LICENSES;
use serde_json::{Value, json};
use service::extract::Path;
use service::problem::Problem;

const COLUMNS: [&str; 11] = [
    "license_id",
    "status",
    "license_type",
    "name_nb",
    "name_en",
    "club_id",
    "club_name",
    "activity_date",
    "activity_days",
    "holder",
    "holder_erased_at",
];

/// Name in metrics.
pub(crate) const KIND: &str = "verification";

/// The most letters of initials: a longer row of them would come close to a name.
const MOST_INITIALS: usize = 4;

pub(crate) async fn verify_license(
    State(reads): State<Reads>,
    Path(license_id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let if_none_match = parameters.if_none_match();
    // Every row, of which only this much is shown.
    let (row, position) = reads
        .row(&LICENSES, &license_id, &COLUMNS, parameters, Access::Bearer)
        .await?;
    let content = Content {
        name: KIND,
        cache_control: Audience::Public.cache_control(),
        content_type: "application/json",
        bytes: serde_json::to_vec(&shown(&row)).map_err(|error| Problem::internal(&error))?,
    };
    Ok(content.respond(Some(position), if_none_match.as_deref()))
}

fn shown(row: &Record) -> Value {
    // A forgotten holder's row has placeholders, which are no one's initials.
    let is_erased = row.get("holder_erased_at").is_some_and(|at| !at.is_null());
    let holder = row.get("holder").filter(|_| !is_erased).unwrap_or_default();
    let birth_year = holder["birth_date"].as_str().and_then(year);
    let mut shown = json!({
        "holder": {"initials": initials(holder["name"].as_str().unwrap_or_default()), "birth_year": birth_year},
    });
    for name in COLUMNS.iter().filter(|name| !name.starts_with("holder")) {
        shown[*name] = row.get(name).unwrap_or_default();
    }
    shown
}

/// `Kari Anne Nordmann` as `K.A.N.`
fn initials(name: &str) -> String {
    let letters = name.split_whitespace().filter_map(|word| word.chars().next());
    letters.take(MOST_INITIALS).fold(String::new(), |all, letter| {
        all + &letter.to_uppercase().to_string() + "."
    })
}

fn year(date: &str) -> Option<i32> {
    date.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_its_initials() {
        for (name, expected) in [
            ("Kari Nordmann", "K.N."),
            ("øystein  Åse", "Ø.Å."),
            ("a b c d e f", "A.B.C.D."),
            ("", ""),
        ] {
            assert_eq!(initials(name), expected);
        }
    }
}
