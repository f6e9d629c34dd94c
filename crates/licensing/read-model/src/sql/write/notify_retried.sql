-- write::notify_retried: tells the projector that counts how a retry ended, when the transaction commits. Binds: $1 channel text, $2 outcome text.
select pg_notify($1, $2)
