-- Tasks::start_over. $1 process, $2 position, $3 fingerprint, both as they were found, $4 epoch of the log.
update process_checkpoints set position = 0, fingerprint = null, epoch = $4, marked_position = 0, updated_at = now()
where process = $1 and position = $2 and fingerprint is not distinct from $3
  and exists (select from log_head where epoch = $4)
returning position
