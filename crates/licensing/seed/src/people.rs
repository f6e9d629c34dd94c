//! Households: who drives, with which car, and who of the family comes along. A household follows from its number, so none
//! is kept in memory.

use chrono::{Datelike as _, Days, NaiveDate};
use domain::{RequestedGuardian, RequestedHolder, RequestedVehicle};

use crate::dice::Dice;
use crate::names::{ELSEWHERE, FAMILIES, MEN, SAMI_FAMILIES, SAMI_MEN, SAMI_WOMEN, WOMEN};

/// Keeps the throws of households apart from all others.
const PURPOSE: u64 = 1 << 40;

/// Families with a garage.
pub(crate) struct Households {
    seed: u64,
    count: usize,
}

/// A household: the first two members are adults.
pub(crate) struct Household {
    pub(crate) number: usize,
    pub(crate) members: Vec<Person>,
}

/// Someone who buys or holds licenses.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) birth_date: NaiveDate,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
    /// A car with plates.
    pub(crate) registration: String,
    /// A car that is built for racing.
    pub(crate) vehicle_license: String,
    pub(crate) chassis: Option<String>,
}

impl Households {
    pub(crate) const fn new(seed: u64, count: usize) -> Self {
        Self { seed, count }
    }

    /// A household that buys: some do so every second weekend, most once in a while.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "below the count"
    )]
    pub(crate) fn buying(&self, dice: &mut Dice) -> Household {
        let number = (self.count as f64 * dice.share().powf(1.35)) as usize;
        self.household(number.min(self.count - 1))
    }

    /// The household with this number.
    pub(crate) fn household(&self, number: usize) -> Household {
        let mut dice = Dice::of(self.seed, PURPOSE + number as u64);
        let family = Family::of(&mut dice);
        let adults = if dice.happens(620) { 2 } else { 1 };
        let children = if adults == 2 || dice.happens(250) {
            [0, 0, 1, 2, 2, 3][dice.below(6)]
        } else {
            0
        };
        let woman_first = dice.happens(180);
        let first_birth = born(&mut dice, 1948, 1997);
        let mut members = Vec::with_capacity(adults + children);
        for place in 0..adults + children {
            let (birth_date, woman) = match place {
                0 => (first_birth, woman_first),
                1 if adults == 2 => {
                    let days = u64::try_from(dice.between(0, 2500)).unwrap_or_default();
                    (
                        first_birth
                            .checked_add_days(Days::new(days))
                            .unwrap_or(first_birth),
                        !woman_first,
                    )
                }
                _ => {
                    let year = (first_birth.year() + 22).max(1990);
                    (born(&mut dice, year, year + 16), dice.happens(350))
                }
            };
            members.push(person(&family, woman, birth_date, number, &mut dice));
        }
        Household { number, members }
    }
}

impl Person {
    /// As an order names them. `guardian` is given for a minor.
    pub(crate) fn holder(&self, guardian: Option<&Self>) -> RequestedHolder {
        RequestedHolder {
            name: self.name.clone(),
            birth_date: self.birth_date,
            phone: self.phone.clone(),
            email: self.email.clone(),
            guardian: guardian.map(|guardian| RequestedGuardian {
                name: guardian.name.clone(),
                phone: guardian.phone.clone().unwrap_or_else(|| "+47 900 00 000".into()),
                consent: true,
            }),
        }
    }

    /// The car for this branch of the sport.
    pub(crate) fn vehicle(&self, discipline: &str) -> RequestedVehicle {
        let built_for_it = [
            "bilcross",
            "crosskart",
            "rallycross",
            "offroad",
            "trial",
            "funsport",
            "touring",
        ];
        if built_for_it.iter().any(|kind| discipline.contains(kind)) {
            return RequestedVehicle {
                vehicle_license: Some(self.vehicle_license.clone()),
                chassis: self.chassis.clone(),
                ..RequestedVehicle::default()
            };
        }
        RequestedVehicle {
            registration: Some(self.registration.clone()),
            ..RequestedVehicle::default()
        }
    }
}

/// Where a family's names come from.
struct Family {
    women: &'static [&'static str],
    men: &'static [&'static str],
    last: String,
}

impl Family {
    fn of(dice: &mut Dice) -> Self {
        let origin = dice.below(100);
        let (women, men, names) = match origin {
            0..4 => (SAMI_WOMEN, SAMI_MEN, SAMI_FAMILIES),
            4..14 => {
                let (first, last) = *dice.one_of(ELSEWHERE);
                (first, first, last)
            }
            _ => (WOMEN, MEN, FAMILIES),
        };
        let last = *dice.one_of(names);
        let last = if origin >= 14 && dice.happens(170) {
            format!("{} {last}", dice.one_of(FAMILIES))
        } else {
            last.to_owned()
        };
        Self { women, men, last }
    }
}

fn person(family: &Family, woman: bool, birth_date: NaiveDate, household: usize, dice: &mut Dice) -> Person {
    let first = *dice.one_of(if woman { family.women } else { family.men });
    let name = format!("{first} {}", family.last);
    let email = dice.happens(920).then(|| email(&name, household));
    let phone = (email.is_none() || dice.happens(880)).then(|| phone(dice));
    let letter = |dice: &mut Dice| char::from(*dice.one_of(b"ABCDEFHJKLNPRSTUVXYZ"));
    let registration = format!(
        "{}{} {}",
        letter(dice),
        letter(dice),
        dice.between(10_000, 99_999)
    );
    let chassis = dice.happens(300).then(|| {
        let digits = dice.between(100_000, 999_999);
        format!("YV1{}{}{digits}", letter(dice), letter(dice))
    });
    Person {
        name,
        birth_date,
        phone,
        email,
        registration,
        vehicle_license: format!("{}{}", letter(dice), dice.between(1_000, 99_999)),
        chassis,
    }
}

/// Norwegian, but for some neighbours.
fn phone(dice: &mut Dice) -> String {
    if dice.happens(30) {
        return format!("+46 70 {} {}", dice.between(100, 999), dice.between(1000, 9999));
    }
    let begin = *dice.one_of(&[
        "90", "91", "92", "93", "95", "97", "98", "99", "40", "41", "45", "46", "48",
    ]);
    let (middle, end) = (dice.between(100, 999), dice.between(100, 999));
    if dice.happens(500) {
        format!("+47 {begin} {middle} {end}")
    } else {
        format!("{begin}{middle}{end}")
    }
}

/// The letters of the name without what few addresses have.
fn email(name: &str, household: usize) -> String {
    let mut local = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' => local.push(c),
            'æ' | 'ä' | 'á' | 'ã' => local.push_str("ae"),
            'ø' | 'ö' | 'ó' => local.push('o'),
            'å' => local.push('a'),
            'č' => local.push('c'),
            ' ' | '-' => local.push('.'),
            _ => {}
        }
    }
    format!(
        "{}{household}@example.no",
        local.trim_matches('.').replace("..", ".")
    )
}

fn born(dice: &mut Dice, first: i32, last: i32) -> NaiveDate {
    let year = i32::try_from(dice.between(first.into(), last.into())).unwrap_or(first);
    let day = u32::try_from(dice.between(1, 365)).unwrap_or(1);
    NaiveDate::from_yo_opt(year, day).unwrap_or_default()
}
