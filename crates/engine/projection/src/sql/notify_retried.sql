-- parked::rows::notify_retried: notifies the process that counts retries, when the transaction commits. Binds: $1 channel text, $2 projection and outcome text.
select pg_notify($1, $2)
