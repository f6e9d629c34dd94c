//! Properties of every accepted text.

use proptest::prelude::*;

use super::characters::is_letter;
use super::{chassis, email, holder_identity, label, person_name, phone, registration, vehicle_license};
use crate::refusal::Rule;

type Check = fn(&str) -> Result<String, Rule>;

fn checks() -> [(&'static str, Check); 7] {
    [
        ("name", person_name),
        ("label", |text| label(text, 120)),
        ("phone", phone),
        ("email", email),
        ("registration", registration),
        ("vehicle license", vehicle_license),
        ("chassis", chassis),
    ]
}

/// Text that rules have trouble with: any characters, and those that hide, join and turn between plain ones.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-ZæøåÆØÅ]{1,4}",
        "[0-9]{1,6}",
        "\\p{L}{1,3}",
        "\\p{M}{1,3}",
        "[ \u{a0}\u{202f}\u{3000}\u{2011}\u{2212}.+/()@<>,;'’-]{1,2}",
        "[\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{ad}\u{3164}\u{feff}\u{fe0f}]{1,2}",
        "[٠-٩０-９]{1,8}",
        "\\PC{1,2}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_stored_is_accepted_as_it_is_and_hides_nothing(text in hostile()) {
        for (what, check) in checks() {
            let Ok(stored) = check(&text) else { continue };
            prop_assert_eq!(check(&stored), Ok(stored.clone()), "{} {:?}", what, text);
            prop_assert_eq!(text::normalize(&stored), stored.clone(), "{} {:?}", what, text);
            let joiner = |c| matches!(c, '\u{200c}' | '\u{200d}');
            let hidden = stored.chars().find(|&c| text::is_invisible(c) && !joiner(c) || c.is_control());
            prop_assert_eq!(hidden, None, "{} {:?}", what, text);
            // Two tables of Unicode, of which either may be the newer one.
            let shown = |c: char| is_letter(c) || c.is_alphanumeric();
            prop_assert!(stored.chars().any(shown), "{} {:?}", what, text);
        }
    }

    #[test]
    fn a_name_is_one_person_in_every_form(text in hostile()) {
        let born = chrono::NaiveDate::MIN;
        let Ok(name) = person_name(&text) else { return Ok(()) };
        let key = holder_identity(&name, born);
        prop_assert_eq!(&holder_identity(&text, born), &key);
        prop_assert_eq!(&holder_identity(&name.replace(' ', "\u{a0} "), born), &key);
        let decomposed = icu_normalizer::DecomposingNormalizer::new_nfd().normalize(&name).into_owned();
        prop_assert_eq!(&holder_identity(&decomposed, born), &key);
        prop_assert_eq!(person_name(&decomposed), Ok(name));
    }

    #[test]
    fn a_vehicle_is_one_in_every_spelling(letters in "[A-Z]{2}", digits in "[0-9]{5}", between in "[ .\u{a0}\u{2011}\u{2013}-]{0,3}") {
        let plate = format!("{letters}{digits}");
        prop_assert_eq!(registration(&format!("{letters}{between}{digits}")), Ok(plate.clone()));
        prop_assert_eq!(registration(&plate.to_lowercase()), Ok(plate));
    }

    #[test]
    fn a_norwegian_mobile_is_one_in_every_spelling(number in "9[0-9]{7}", between in "[ .\u{a0}\u{2011}\u{200e}-]{0,3}") {
        let stored = format!("+47{number}");
        let (one, two) = number.split_at(3);
        for prefix in ["", "+47", "0047", "(+47)", "\u{202a}+47 "] {
            prop_assert_eq!(phone(&format!("{prefix}{between}{one}{between}{two}")), Ok(stored.clone()));
        }
    }
}
