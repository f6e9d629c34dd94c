//! Names the code that makes the rows by a hash of the source text of the projection and all that it builds on.

#[path = "../crates/licensing/fingerprint.rs"]
mod fingerprint;

fn main() -> std::io::Result<()> {
    fingerprint::set(
        "PROJECTION_BUILD",
        &[
            "src",
            "../crates/licensing/events/src",
            "../crates/licensing/vocabulary/src",
            "../crates/engine/envelope/src",
            "../crates/engine/projection/src",
            "../crates/engine/query/src",
            "../crates/engine/text/src",
            "../crates/licensing/read-model/src",
        ],
    )
}
