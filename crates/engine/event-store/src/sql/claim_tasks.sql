-- Tasks::claim. $1 process, $2 kinds, $3 most tasks, $4 seconds of the lease.
update process_tasks t
set attempts = t.attempts + 1, leased_until = now() + make_interval(secs => $4)
from (
    select process, aggregate_id, kind from process_tasks
    where process = $1 and kind = any($2) and due_at <= now() and (leased_until is null or leased_until < now())
    order by due_at
    limit $3
    for update skip locked
) due
where (t.process, t.aggregate_id, t.kind) = (due.process, due.aggregate_id, due.kind)
returning t.aggregate_id, t.kind, t.position, t.request_id, t.correlation_id, t.attempts
