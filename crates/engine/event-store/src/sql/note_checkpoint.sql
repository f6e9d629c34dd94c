-- Tasks::note. $1 process, $2 position, $3 fingerprint of the event there, $4 epoch of the log.
update process_checkpoints set fingerprint = $3, epoch = $4, marked_position = $2
where process = $1 and position = $2 and (epoch is null or marked_position is distinct from position)
