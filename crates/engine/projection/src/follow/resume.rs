//! Where a follower resumes: at the checkpoint, or after a rebuild if the log began a new epoch.

use envelope::{Contradiction, Mark, Position};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::interrupted::Interrupted;
use super::{Follower, Parts};
use crate::checkpoint::{self, Checkpoint, CheckpointState};
use crate::projection::Projection;
use crate::{log_marks, metrics, rebuild};

impl<P: Projection> Follower<P> {
    /// The checkpoint, its event, and the head of the log. If the log began a new epoch, the rows are rebuilt first.
    pub(super) async fn resume(
        &self,
        shutdown: &CancellationToken,
    ) -> Result<(Checkpoint, Mark, Position), Interrupted> {
        let Parts {
            projection,
            read,
            log,
            ..
        } = &self.0;
        loop {
            // Each time: a rebuild by another build may have swapped in tables of another schema.
            projection.migrations().check(read).await.map_err(|error| {
                if error.is_transient() {
                    Interrupted::read(error)
                } else {
                    Interrupted::Schema(error.to_string())
                }
            })?;
            let begun = log.head().await.map_err(Interrupted::Log)?;
            let client = read.get().await.map_err(Interrupted::read)?;
            checkpoint::start(&client, projection, begun.epoch)
                .await
                .map_err(Interrupted::read)?;
            let found = checkpoint::read_state(&client, projection)
                .await
                .map_err(Interrupted::read)?;
            drop(client);
            // After the checkpoint: a head that was read before may be of an epoch that ended before the checkpoint's
            // began, and the rows would be rebuilt for the older epoch.
            let (page, proof) = log_marks::look(log, found.mark())
                .await
                .map_err(Interrupted::Log)?;
            if found.checkpoint.epoch == page.head.epoch {
                let mark = self.judge(&found, proof).await?;
                return Ok((found.checkpoint, mark, page.head.position));
            }
            self.renew(&found, page.head.epoch, shutdown).await?;
        }
    }

    /// Whether the log still holds the event of the checkpoint. Stores whether the rows are stale.
    async fn judge(
        &self,
        found: &CheckpointState,
        proof: Result<(), Contradiction>,
    ) -> Result<Mark, Interrupted> {
        let (projection, at) = (&self.0.projection, found.checkpoint);
        let client = self.0.read.get().await.map_err(Interrupted::read)?;
        checkpoint::mark_stale(&client, projection, at, proof.is_err())
            .await
            .map_err(Interrupted::read)?;
        let command = projection.commands().new_epoch;
        proof.map_err(|contradiction| Interrupted::Contradicted(contradiction, command))?;
        let known = found.mark();
        if known.fingerprint.is_some() || at.position == Position::START {
            return Ok(known);
        }
        // Left by a build that kept no fingerprint: from here on a log that loses this event is noticed.
        let noted = log_marks::at(&self.0.log, at.position)
            .await
            .map_err(Interrupted::Log)?;
        if let Some(fingerprint) = &noted.fingerprint {
            checkpoint::note_fingerprint(&client, projection, at, fingerprint)
                .await
                .map_err(Interrupted::read)?;
            let position = at.position.get();
            tracing::info!(position, %fingerprint, "noted which event the checkpoint is at");
        }
        Ok(noted)
    }

    /// Rebuilds the rows for the new epoch of the log, while the old ones are read and marked as stale.
    async fn renew(
        &self,
        found: &CheckpointState,
        epoch: Uuid,
        shutdown: &CancellationToken,
    ) -> Result<(), Interrupted> {
        let Parts {
            projection,
            read,
            read_url,
            log,
            check,
            ..
        } = &self.0;
        let old = found.checkpoint;
        let client = read.get().await.map_err(Interrupted::read)?;
        if old.position == Position::START {
            checkpoint::adopt_epoch(&client, projection, old.epoch, epoch)
                .await
                .map_err(Interrupted::read)?;
            return Ok(());
        }
        checkpoint::mark_stale(&client, projection, old, true)
            .await
            .map_err(Interrupted::read)?;
        drop(client);
        tracing::warn!(position = old.position.get(), checkpoint_epoch = %old.epoch, log_epoch = %epoch,
            "the log began a new epoch: rebuilding the rows while the old ones are served");
        check.degraded(
            "the log began a new epoch: the rows are rebuilt, and those of the old epoch are served as stale",
        );
        let renewed = rebuild::renew(projection, read_url, log, shutdown).await;
        if shutdown.is_cancelled() {
            return Err(Interrupted::Stopped);
        }
        if !renewed.map_err(Interrupted::Rebuild)? {
            return Err(Interrupted::Rebuilding);
        }
        ::metrics::counter!(metrics::RESETS, "projection" => projection.name().to_owned()).increment(1);
        tracing::info!(log_epoch = %epoch, "the rows of the log's new epoch are live");
        Ok(())
    }
}
