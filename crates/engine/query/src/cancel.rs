//! Ends the statement of a request that is not waited for any more.

use std::time::Duration;

use connect::Protection;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::CancelToken;

/// How long that may take. Without an answer the time limit of the statement ends it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the database to end the statement, in the background.
pub(crate) fn cancel(token: CancelToken, protection: &Protection) {
    // Without a runtime the process ends, and its connections with it.
    if let Ok(runtime) = Handle::try_current() {
        let protection = protection.clone();
        runtime.spawn(async move {
            let _ = timeout(PATIENCE, token.cancel_query(protection)).await;
        });
    }
}
