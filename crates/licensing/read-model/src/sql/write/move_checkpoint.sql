-- write::move_checkpoint: moves on only from where the caller believes it stands, so of two owners one moves no row, and neither does a build that other tables were put under. Binds: $1 projection text, $2 from bigint, $3 to bigint, $4 epoch uuid, $5 schema version int, $6 fingerprint of the event at the new position bytea.
update checkpoints
set position = $3, fingerprint = $6, stale_since = null, updated_at = now()
where projection = $1 and position = $2 and epoch = $4
  and $5 = (select max(version) from refinery_schema_history)
