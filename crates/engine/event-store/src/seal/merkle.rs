//! The Merkle tree of RFC 6962: leaves and nodes are hashed apart, so that neither can pass for the other.

use aws_lc_rs::digest::{Context, SHA256, digest};

/// SHA-256.
pub(crate) type Hash = [u8; 32];

/// Hash of anything that is not part of a tree.
pub(crate) fn plain_hash(bytes: &[u8]) -> Hash {
    sized(digest(&SHA256, bytes).as_ref())
}

pub(crate) fn leaf_hash(leaf: &[u8]) -> Hash {
    hash(&[&[0], leaf])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    sized(context.finish().as_ref())
}

fn sized(digest: &[u8]) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest);
    hash
}

/// A tree that grows leaf by leaf and keeps one hash per level, not its leaves.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Roots of the perfect subtrees, the largest first.
    peaks: Vec<Hash>,
    leaves: u64,
}

impl Tree {
    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Every one bit at the end of the count is a subtree as large as what has just been completed.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.leaves += 1;
    }

    /// `None` for the tree without leaves.
    pub(crate) fn root(&self) -> Option<Hash> {
        self.peaks
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
    }
}

/// The sibling hashes from the leaf at `index` up to the root; `None` if there is no such leaf.
pub(crate) fn path(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut path, mut leaves, mut index) = (Vec::new(), leaves, index);
    while leaves.len() > 1 {
        // The largest power of two below the number of leaves.
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let (within, sibling) = if index < left.len() {
            (left, right)
        } else {
            index -= left.len();
            (right, left)
        };
        path.extend(root_of(sibling));
        leaves = within;
    }
    path.reverse();
    Some(path)
}

fn root_of(leaves: &[Hash]) -> Option<Hash> {
    let mut tree = Tree::default();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree.root()
}

/// The root that a leaf and its path lead to, in a tree of `size` leaves (RFC 9162, 2.1.3.2). `None` if the path does
/// not fit the place.
pub(crate) fn root_by_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut root) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = node_hash(sibling, &root);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::hex;

    /// Leaves and roots of the Certificate Transparency project's reference tree.
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_tree_is_that_of_rfc_6962() {
        let mut tree = Tree::default();
        assert_eq!(tree.root(), None);
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            tree.push(leaf_hash(&hex::decode(leaf).unwrap()));
            assert_eq!(hex::encode(&tree.root().unwrap()), root);
        }
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_altered_one_does() {
        let leaves: Vec<Hash> = (0..33_u8).map(|number| leaf_hash(&[number])).collect();
        for size in 1..=leaves.len() {
            let leaves = &leaves[..size];
            let root = root_of(leaves).unwrap();
            assert_eq!(path(leaves, size), None);
            for index in 0..size {
                let way = path(leaves, index).unwrap();
                let (at, of) = (index as u64, size as u64);
                let leads = |leaf, at, of, way: &[Hash]| root_by_path(leaf, at, of, way) == Some(root);
                assert!(leads(leaves[index], at, of, &way), "{index} of {size}");
                assert!(!leads(leaf_hash(b"another"), at, of, &way));
                for other in (0..size).filter(|other| *other != index) {
                    assert!(
                        !leads(leaves[index], other as u64, of, &way),
                        "{index} as {other} of {size}"
                    );
                }
                assert!(!leads(leaves[index], of, of, &way));
                for step in 0..way.len() {
                    let mut altered = way.clone();
                    altered[step][step % 32] ^= 1;
                    assert!(!leads(leaves[index], at, of, &altered));
                    altered = way.clone();
                    altered.remove(step);
                    assert!(!leads(leaves[index], at, of, &altered));
                }
                let longer = [way.as_slice(), &[root]].concat();
                assert!(!leads(leaves[index], at, of, &longer));
            }
        }
    }
}
