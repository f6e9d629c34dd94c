//! Proofs that an event is in the log.

use event_store::seal::{Error, Proof, SealKey, prove};

use super::Sealed;
use crate::support::pool;

#[tokio::test]
async fn every_event_can_be_proven_and_nothing_else() {
    let sealed = Sealed::three().await;
    let (pool, keys) = (pool(&sealed.test.url), [sealed.key.public_key()]);
    for position in 1..=16 {
        let proof = prove(&pool, position).await.unwrap();
        // As it travels.
        let proof: Proof = serde_json::from_str(&serde_json::to_string(&proof).unwrap()).unwrap();
        proof.check(&keys).unwrap();
        let altered = |alter: &dyn Fn(&mut Proof)| {
            let mut altered = proof.clone();
            alter(&mut altered);
            assert!(altered.check(&keys).is_err(), "{altered:?}");
        };
        altered(&|proof| proof.leaf.payload = r#"{"by": 2}"#.into());
        altered(&|proof| proof.leaf.position += 1);
        altered(&|proof| proof.leaf.sequence += 1);
        altered(&|proof| proof.leaf.recorded_at_micros -= 1);
        altered(&|proof| proof.path.truncate(proof.path.len() - 1));
        altered(&|proof| proof.path.push("00".repeat(32)));
        altered(&|proof| proof.path[0] = "zz".into());
        altered(&|proof| proof.seal.first -= 1);
        altered(&|proof| proof.seal.last = i64::MAX);
        altered(&|proof| proof.seal.merkle_root[0] ^= 1);
        altered(&|proof| proof.seal.signature[0] ^= 1);
        let stranger = SealKey::from_pkcs8(&SealKey::generate().unwrap()).unwrap();
        assert!(proof.check(&[stranger.public_key()]).is_err());
    }
    let refused = prove(&pool, 17).await.unwrap_err();
    assert!(matches!(refused, Error::NotSealed(17)), "{refused}");
    for position in [0, -1, 18, i64::MAX] {
        let refused = prove(&pool, position).await.unwrap_err();
        assert!(matches!(refused, Error::NoEvent { head: 17, .. }), "{refused}");
    }
}
