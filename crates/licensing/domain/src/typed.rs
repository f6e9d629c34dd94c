//! What people type: names, phone numbers, addresses, vehicles, dates. Every rule on them is here.
//!
//! A value comes in as it was typed or pasted and goes out in one stored form, or with the [`Rule`](crate::Rule) that
//! it breaks. The stored form passes again and is itself. What a character may do follows from Unicode's properties,
//! never from a list of characters.

mod characters;
mod dates;
mod emails;
mod identity_numbers;
mod labels;
mod names;
mod phones;
mod vehicles;

pub use dates::{date, moment, optional_date, optional_moment};
pub use names::{club_identity, holder_identity};

pub(crate) use emails::email;
pub(crate) use labels::{label, paragraphs, reason};
pub(crate) use names::person_name;
pub(crate) use phones::phone;
pub(crate) use vehicles::{chassis, registration, vehicle_license};

#[cfg(test)]
mod cases;
#[cfg(test)]
mod properties;
