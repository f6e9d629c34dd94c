-- write::reset: forgets what was parked. Binds: $1 projection text.
delete from parked_events
where projection = $1
