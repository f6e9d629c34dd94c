//! Names the code of the aggregates by a hash of the source text of this crate and those it builds on.

#[path = "../fingerprint.rs"]
mod fingerprint;

fn main() -> std::io::Result<()> {
    fingerprint::set(
        "AGGREGATES_FINGERPRINT",
        &[
            "src",
            "../events/src",
            "../vocabulary/src",
            "../../engine/envelope/src",
        ],
    )
}
