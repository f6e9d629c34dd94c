-- checkpoint::notify: notifies readers of the new position, when the transaction commits. Binds: $1 channel text, $2 position text.
select pg_notify($1, $2)
