//! How Postgres finds the rows of a filter or a sort. Every declaration says it, and a test compares it with the plans.

/// How Postgres finds rows for a filter or a sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Through this index.
    Index(&'static str),
    /// By reading a table that stays small.
    SmallTable,
}

/// Through the index of that name.
pub const fn index(name: &'static str) -> Served {
    Served::Index(name)
}

/// By reading the whole table, which has some hundred rows at most.
pub const fn small_table() -> Served {
    Served::SmallTable
}
