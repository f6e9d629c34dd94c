//! What became of event versions that this build no longer writes. The log keeps them for ever; here they are read.
//!
//! A version that gets a successor moves from its `events!` list to this table: its upcaster makes the newer version's
//! payload of it, or several events, or none. `schemas/samples` has one payload of every version ever published, and a
//! test reads each of them by way of this table.

use envelope::{Merger, Upcaster};

/// By type and version. Every version published so far is still written: there is nothing to make of any.
pub(crate) const UPCASTERS: &[Upcaster] = &[];

/// Pairs that became one event. Seen only where one aggregate's whole run is read, never by projections.
pub(crate) const MERGERS: &[Merger] = &[];
