//! Who a holder is, without saying it: a keyed hash of what makes two spellings one person.

use std::fmt;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use events::Holder;
use uuid::{Builder, Uuid};

use crate::typed::holder_identity;

/// The fewest bytes of a key.
pub const HOLDER_KEY_MIN_BYTES: usize = 32;

/// The installation's key for holder ids. With another key the same person is another holder, so it never changes.
#[derive(Clone)]
pub struct HolderKey(Key);

impl fmt::Debug for HolderKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HolderKey")
    }
}

impl HolderKey {
    /// The key with these bytes; `None` if they are too few to keep names and birth dates from being guessed.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= HOLDER_KEY_MIN_BYTES).then(|| Self(Key::new(HMAC_SHA256, bytes)))
    }

    /// The id of this person: the same for every spelling of the name in case, space and Unicode form.
    pub fn holder_id(&self, holder: &Holder) -> Uuid {
        let (name, born) = (holder.name.expose(), *holder.birth_date.expose());
        self.id(&holder_identity(name, born))
    }

    /// What is the same for the same key only, and does not reveal it.
    pub fn fingerprint(&self) -> Uuid {
        self.id("fingerprint of the key")
    }

    fn id(&self, of: &str) -> Uuid {
        let mut bytes = [0; 16];
        let tag = sign(&self.0, of.as_bytes());
        bytes.copy_from_slice(&tag.as_ref()[..16]);
        Builder::from_custom_bytes(bytes).into_uuid()
    }
}
