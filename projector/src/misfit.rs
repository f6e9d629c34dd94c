//! Why an event does not fit the row it is for.

use projection::Inapplicable;

/// Why an event does not fit the row it is for. Without row data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The aggregate has no first event.
    #[error("there is no row for its aggregate")]
    NoRow,
    /// The aggregate has its first event a second time.
    #[error("there is a row for its aggregate already")]
    RowExists,
    /// An order without lines has no activity days.
    #[error("the order has no lines")]
    NoLines,
    /// A receipt is for lines of its order.
    #[error("the receipt is for a line that its order does not have")]
    NoSuchLine,
    /// Items of a batch are done in their order, and each once.
    #[error("the items are not those that come next in the batch")]
    ItemsOutOfOrder,
    /// A day, a moment or a number that no answer can say.
    #[error("{0} is out of range")]
    OutOfRange(&'static str),
    /// A text that no index can hold.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A text with U+0000, which the database can't hold.
    #[error("a text holds U+0000")]
    Nul,
}

impl From<Misfit> for Inapplicable {
    fn from(misfit: Misfit) -> Self {
        Self::new(misfit)
    }
}
