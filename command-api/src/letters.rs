//! Letters: e-mails to customers with the licenses and receipts of their orders.
//!
//! - `settings`: which mail server, and as whom.
//! - `server`: the exchange with it.
//! - `documents`: the PDFs of one letter.
//! - `text`: what a letter says, and the whole message.
//!
//! When a letter is due, and what is recorded of it, is in [`crate::process`].

mod documents;
mod server;
mod settings;
mod text;

use std::path::Path;
use std::sync::Arc;

use lettre::message::Mailbox;
use service::seller::Seller;
use tokio::sync::Semaphore;

pub(crate) use self::documents::{Content, Document, NotMade};
pub(crate) use self::server::{MailServer, NotTaken, Trouble};
pub(crate) use self::settings::LetterArgs;
pub(crate) use self::text::{Wrapped, address, message};

/// What letters are made and sent with.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) server: MailServer,
    pub(crate) from: Mailbox,
    /// The domain of `from`, in ASCII.
    pub(crate) domain: Arc<str>,
    /// The file of the keys of license codes.
    keys: Arc<Path>,
    seller: Arc<Seller>,
    /// Bounds how many letters' documents are made at once.
    turns: Arc<Semaphore>,
}

impl Post {
    /// Makes the documents of a letter, away from the threads that serve requests.
    pub(crate) async fn documents(&self, content: Content) -> Result<(Content, Vec<Document>), NotMade> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let (keys, seller) = (Arc::clone(&self.keys), Arc::clone(&self.seller));
        let made = tokio::task::spawn_blocking(move || {
            // Held to the end, also when the letter is given up.
            let _turn = turn;
            let documents = documents::make(&content, &keys, &seller)?;
            Ok((content, documents))
        });
        made.await.map_err(|_| NotMade::Interrupted)?
    }

    /// The seller's name, for the end of a letter.
    pub(crate) fn seller(&self) -> &str {
        &self.seller.name
    }
}
