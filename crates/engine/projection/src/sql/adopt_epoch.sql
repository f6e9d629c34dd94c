-- checkpoint::adopt_epoch: another epoch of the log, if no event was applied. Moves no row if there are rows. Binds: $1 projection text, $2 old epoch uuid, $3 new epoch uuid.
update checkpoints
set epoch = $3, fingerprint = null, stale_since = null, updated_at = now()
where projection = $1 and epoch = $2 and position = 0
