//! Inclusion proofs: one event, the way from it to a sealed root, and the seal. Checked without the log.

use deadpool_postgres::Pool;
use serde::{Deserialize, Serialize};

use super::key::PublicKey;
use super::leaf::Leaf;
use super::merkle::{self, Hash, root_by_path};
use super::record::Seal;
use super::table::Table;
use super::{Error, hex};
use crate::Log;

/// Shows that an event is in a sealed range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The event, column by column.
    pub leaf: Leaf,
    /// Hashes from the leaf's sibling up to below the root, in hexadecimal digits.
    pub path: Vec<String>,
    /// The seal with the root and the signature.
    pub seal: Seal,
}

impl Proof {
    /// Checks it against the public keys, with nothing else.
    pub fn check(&self, keys: &[PublicKey]) -> Result<(), Error> {
        let Seal { first, last, .. } = self.seal;
        let offset = |from: i64, to: i64| to.checked_sub(from).and_then(|offset| u64::try_from(offset).ok());
        let (Some(index), Some(size)) = (offset(first, self.leaf.position), offset(first, last)) else {
            return Err(Error::Proof("the position is not in the seal's range"));
        };
        let path: Option<Vec<Hash>> = self.path.iter().map(|hash| hex::decode_array(hash)).collect();
        let path = path.ok_or(Error::Proof("the path is not made of hashes"))?;
        let root = root_by_path(self.leaf.hash(), index, size.saturating_add(1), &path);
        if root != Some(self.seal.merkle_root) {
            return Err(Error::Proof("the event does not lead to the sealed root"));
        }
        if !self.seal.is_signed_by(keys) {
            return Err(Error::Proof("the seal is not signed by a known key"));
        }
        Ok(())
    }
}

/// Proves that the event at `position` is in the log. The proof shows the event: its payload, too.
pub async fn prove(pool: &Pool, position: i64) -> Result<Proof, Error> {
    let table = Table::new(pool.clone());
    let sealed = table.seal_at(position).await?;
    let Some(seal) = sealed
        .map(|marked| marked.seal)
        .filter(|seal| seal.last >= position)
    else {
        let head = Log::new(pool.clone()).head().await?.position.to_sql();
        return Err(if (1..=head).contains(&position) {
            Error::NotSealed(position)
        } else {
            Error::NoEvent { position, head }
        });
    };
    let (mut hashes, mut proven) = (Vec::new(), None);
    table
        .leaves(seal.first, seal.last, |at, leaf| {
            hashes.extend(leaf.as_ref().map(Leaf::hash));
            if at == position {
                proven = leaf;
            }
        })
        .await?;
    let path = usize::try_from(position - seal.first)
        .ok()
        .and_then(|index| merkle::path(&hashes, index));
    let (Some(leaf), Some(path)) = (proven, path) else {
        return Err(Error::Proof("the log lacks events of the sealed range"));
    };
    let path = path.iter().map(|hash| hex::encode(hash)).collect();
    Ok(Proof { leaf, path, seal })
}
