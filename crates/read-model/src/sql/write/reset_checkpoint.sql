-- write::reset: back to before the first event, in another life of the log. Moves no row if somebody else did it. Binds: $1 projection text, $2 old epoch uuid, $3 new epoch uuid.
update checkpoints
set position = 0, epoch = $3, updated_at = now()
where projection = $1 and epoch = $2
