//! A closed list of texts: an enum in Rust, text in the table and in JSON.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// A value of a closed list: an enum in Rust, its text in the table and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word<T>(pub T);

impl<T> From<T> for Word<T> {
    fn from(word: T) -> Self {
        Self(word)
    }
}

impl<T> Deref for Word<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
