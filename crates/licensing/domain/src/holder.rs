//! Who a holder is, without saying it: a keyed hash of what makes two spellings one person.

use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use chrono::NaiveDate;
use envelope::Personal;
use events::{Holder, Vehicle};
use uuid::{Builder, Uuid};

use crate::people::{RequestedHolder, RequestedVehicle};
use crate::refusal::Rule;
use crate::typed::{self, holder_identity};

/// The fewest bytes of a key.
pub const HOLDER_KEY_MIN_BYTES: usize = 32;

/// The installation's key for holder ids. With another key the same person is another holder, so it never changes.
#[derive(Clone)]
pub struct HolderKey(Key);

impl fmt::Debug for HolderKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HolderKey")
    }
}

impl HolderKey {
    /// The key with these bytes; `None` if they are too few to keep names and birth dates from being guessed.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= HOLDER_KEY_MIN_BYTES).then(|| Self(Key::new(HMAC_SHA256, bytes)))
    }

    /// The id of this person: the same for every spelling of the name in case, space and Unicode form.
    pub fn holder_id(&self, holder: &Holder) -> Uuid {
        self.person_id(holder.name.expose(), *holder.birth_date.expose())
    }

    /// The id of the person with this name and birth date.
    pub(crate) fn person_id(&self, name: &str, birth_date: NaiveDate) -> Uuid {
        self.id(&holder_identity(name, birth_date))
    }

    /// The id of each number of a vehicle.
    pub(crate) fn vehicle_ids<'a>(&'a self, vehicle: &'a Vehicle) -> impl Iterator<Item = Uuid> + 'a {
        let numbers = [
            ("registration", &vehicle.registration),
            ("vehicle_license", &vehicle.vehicle_license),
            ("chassis", &vehicle.chassis),
        ];
        numbers.into_iter().filter_map(|(kind, number)| {
            let number = number.as_ref()?.expose();
            // No name holds a line break, so no vehicle has a person's id.
            Some(self.id(&format!("vehicle\n{kind}\n{number}")))
        })
    }

    /// The ids by which suspensions know a person and a vehicle, as they were typed. What breaks a rule has none.
    pub(crate) fn asked(
        &self,
        holder: Option<&RequestedHolder>,
        vehicle: Option<&RequestedVehicle>,
    ) -> BTreeSet<Uuid> {
        let person = holder.map(|holder| self.person_id(&holder.name, holder.birth_date));
        let vehicle = vehicle.map(typed_vehicle).unwrap_or_default();
        person.into_iter().chain(self.vehicle_ids(&vehicle)).collect()
    }

    /// What is the same for the same key only, and does not reveal it.
    pub fn fingerprint(&self) -> Uuid {
        self.id("fingerprint of the key")
    }

    fn id(&self, of: &str) -> Uuid {
        let mut bytes = [0; 16];
        let tag = sign(&self.0, of.as_bytes());
        bytes.copy_from_slice(&tag.as_ref()[..16]);
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// The numbers that are well-formed.
fn typed_vehicle(asked: &RequestedVehicle) -> Vehicle {
    let number = |given: &Option<String>, check: fn(&str) -> Result<String, Rule>| {
        check(given.as_ref()?).ok().map(Personal::new)
    };
    Vehicle {
        registration: number(&asked.registration, typed::registration),
        vehicle_license: number(&asked.vehicle_license, typed::vehicle_license),
        chassis: number(&asked.chassis, typed::chassis),
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use envelope::Personal;
    use events::Holder;
    use icu_normalizer::DecomposingNormalizer;
    use proptest::prelude::*;

    use super::HolderKey;

    fn id(name: &str, birth_date: NaiveDate) -> uuid::Uuid {
        let key = HolderKey::new(&[7; 32]).unwrap();
        key.holder_id(&Holder {
            name: Personal::new(name.into()),
            birth_date: Personal::new(birth_date),
            phone: None,
            email: None,
            guardian: None,
        })
    }

    /// ASCII as full-width forms, as some keyboards write it.
    fn full_width(name: &str) -> String {
        let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0);
        let widened = |c: char| c.is_ascii_graphic().then(|| wide(c)).flatten().unwrap_or(c);
        name.chars().map(widened).collect()
    }

    fn born() -> impl Strategy<Value = NaiveDate> {
        (0_u64..40_000).prop_map(|day| NaiveDate::from_ymd_opt(1920, 1, 1).unwrap() + chrono::Days::new(day))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn one_person_has_one_id_however_the_name_is_written(
            words in proptest::collection::vec("[a-zæøåéüöäA-ZÆØÅÉÜÖÄ]{1,8}", 1..4),
            spaces in proptest::collection::vec("[ \u{a0}\u{202f}\u{2003}\u{3000}\t]{1,3}", 5),
            born in born(),
        ) {
            let name = words.join(" ");
            let spaced = words.iter().zip(&spaces).fold(String::new(), |all, (word, space)| all + space + word);
            let decomposed = DecomposingNormalizer::new_nfd().normalize(&name).into_owned();
            let kari = id(&name, born);
            for spelling in [
                name.to_lowercase(),
                name.to_uppercase(),
                spaced + &spaces[4],
                decomposed.to_uppercase(),
                decomposed,
                full_width(&name),
            ] {
                prop_assert_eq!(id(&spelling, born), kari, "{:?}", spelling);
            }
        }

        #[test]
        fn different_people_have_different_ids(
            one in "[a-zæøå]{1,6} [a-zæøå]{1,6}", other in "[a-zæøå]{1,6} [a-zæøå]{1,6}", born in born(), later in 1_u64..400,
        ) {
            prop_assert_ne!(id(&one, born), id(&one, born + chrono::Days::new(later)));
            prop_assert_eq!(id(&one, born) == id(&other, born), one == other);
        }
    }

    #[test]
    fn a_space_or_a_digit_moves_no_one_into_another() {
        let day = |day| NaiveDate::from_ymd_opt(1990, 5, day).unwrap();
        assert_ne!(id("Kari Nordmann", day(1)), id("Karinordmann", day(1)));
        assert_ne!(id("Kari Nordmann", day(1)), id("Kari Nordman", day(1)));
        assert_ne!(
            id("Åse Bø", day(1)),
            id("Ase Bo", day(1)),
            "æ, ø and å are letters of their own"
        );
    }

    #[test]
    fn an_id_reveals_nothing_without_the_key() {
        let born = NaiveDate::from_ymd_opt(1990, 5, 17).unwrap();
        let id = id("Kari Nordmann", born);
        assert_eq!(id.get_version_num(), 8, "a UUID of its own making");
        let plain = crate::holder_identity("Kari Nordmann", born);
        let unkeyed = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, plain.as_bytes());
        assert_ne!(&id.as_bytes()[..4], &unkeyed.as_ref()[..4]);
        assert_eq!(format!("{:?}", HolderKey::new(&[7; 32]).unwrap()), "HolderKey");
    }
}
