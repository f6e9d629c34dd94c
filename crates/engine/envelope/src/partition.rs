//! Where an event goes on the bus.

use uuid::Uuid;

/// How many partitions the events of a log are spread over.
pub const PARTITIONS: u8 = 16;

/// The partition of an aggregate, 0 to 15: all events of one aggregate share it, so their order survives.
///
/// FNV-1a (64 bit) over the sixteen bytes of the id, folded to four bits. Part of the wire format: it never changes.
pub fn partition(aggregate_id: Uuid) -> u8 {
    let hash = aggregate_id
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let folded = hash ^ (hash >> 32);
    let folded = folded ^ (folded >> 16);
    let folded = folded ^ (folded >> 8);
    let low = (folded ^ (folded >> 4)) & u64::from(PARTITIONS - 1);
    low.to_le_bytes()[0]
}

/// `<prefix>.<partition>.<aggregate_type>.<event_type>.<aggregate_id>`, for example
/// `ledger.v1.7.account.Deposited.0198c5a2-…`. The types are single tokens: no dots, no spaces.
pub fn subject(prefix: &str, aggregate_type: &str, event_type: &str, aggregate_id: Uuid) -> String {
    format!(
        "{prefix}.{}.{aggregate_type}.{event_type}.{aggregate_id}",
        partition(aggregate_id)
    )
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{PARTITIONS, partition, subject};

    #[test]
    fn the_partition_of_an_id_never_changes() {
        // Values written down when the format was fixed: a change here would tear aggregates apart.
        let known = [
            ("00000000-0000-0000-0000-000000000000", 9),
            ("0198c5a2-7d1e-7000-8000-000000000001", 12),
            ("6f1d3a52-8a0e-5c1f-9a54-0b7c55a1d2e3", 4),
        ];
        for (id, expected) in known {
            assert_eq!(partition(Uuid::parse_str(id).unwrap()), expected, "{id}");
        }
    }

    #[test]
    fn ids_of_one_moment_spread_evenly() {
        let mut counts = [0_u32; PARTITIONS as usize];
        for _ in 0..16_000 {
            counts[partition(Uuid::now_v7()) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (700..1300).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_subject_names_partition_types_and_id() {
        let id = Uuid::nil();
        assert_eq!(
            subject("ledger.v1", "account", "Deposited", id),
            format!("ledger.v1.{}.account.Deposited.{id}", partition(id))
        );
    }
}
