-- checkpoint::notify_replaced: notifies readers that the rows are other ones, when the transaction commits. Binds: $1 channel text.
select pg_notify($1, 'replaced')
