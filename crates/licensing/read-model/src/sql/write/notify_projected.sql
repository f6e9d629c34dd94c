-- write::notify_projected: wakes those who wait for a position, when the transaction commits. Binds: $1 channel text, $2 position text.
select pg_notify($1, $2)
