//! The aggregate types, as they stand in the log and in subjects.

/// A customer's purchase.
pub const ORDER: &str = "order";
/// A dated right to take part.
pub const LICENSE: &str = "license";
/// An entry of the catalogue.
pub const LICENSE_TYPE: &str = "license_type";
/// A person or a vehicle that gets no licenses.
pub const SUSPENSION: &str = "suspension";
/// A club that organizes activities.
pub const CLUB: &str = "club";
/// Someone who can log in.
pub const USER: &str = "user";
/// The receipts of one year.
pub const RECEIPT_SERIES: &str = "receipt_series";
/// The letters of one order.
pub const LETTERS: &str = "letters";
/// The terms that customers accept.
pub const TERMS: &str = "terms";
/// A person whose personal data was erased.
pub const PERSON: &str = "person";
/// The master keys of personal data.
pub const KEYRING: &str = "keyring";
/// Many commands of one kind.
pub const BATCH: &str = "batch";
