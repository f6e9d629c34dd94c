//! What all projections of this program have in common.

use projection::Commands;

/// What the rows are made by: a hash of the sources of the projections and of what they build on.
pub const BUILD: &str = env!("PROJECTION_BUILD");

/// The commands that messages name.
pub(crate) const COMMANDS: Commands = Commands {
    program: "projector",
    new_epoch: "command-api log new-epoch",
};
