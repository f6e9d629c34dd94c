-- checkpoint::note_fingerprint: which event a checkpoint of an older build is at. Binds: $1 projection text, $2 position bigint, $3 epoch uuid, $4 fingerprint bytea.
update checkpoints
set fingerprint = $4
where projection = $1 and position = $2 and epoch = $3 and fingerprint is null
