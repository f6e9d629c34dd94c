-- checkpoint::move_to: moves no row if the checkpoint is not where the caller expects it, or if the tables are of another schema than the caller's build. Binds: $1 projection text, $2 from bigint, $3 to bigint, $4 epoch uuid, $5 schema version int, $6 fingerprint of the event at the new position bytea.
update checkpoints
set position = $3, fingerprint = $6, stale_since = null, updated_at = now()
where projection = $1 and position = $2 and epoch = $4
  and $5 = (select max(version) from refinery_schema_history)
