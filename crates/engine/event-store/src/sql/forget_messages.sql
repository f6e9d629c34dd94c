-- Inbox::forget. $1 source, $2 age in seconds, $3 limit.
delete from inbox_messages m
using (
    select source, key from inbox_messages
    where source = $1 and dealt_with_at < now() - make_interval(secs => $2)
    order by dealt_with_at
    limit $3
    for update skip locked
) old
where (m.source, m.key) = (old.source, old.key)
