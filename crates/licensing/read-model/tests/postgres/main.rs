//! The crate against a real Postgres, a database per test.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod declared;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod plans;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod schema_sql;
#[cfg(test)]
mod support;
