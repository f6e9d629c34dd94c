-- Tasks::claim. $1 process, $2 kinds, $3 most tasks, $4 seconds of the lease. Each kind is read in the order of the index, so
-- that a claim costs the same however many tasks of the kind wait. What is locked and not taken is free again at once.
update process_tasks t
set attempts = t.attempts + 1, leased_until = now() + make_interval(secs => $4)
from (
    select due.process, due.aggregate_id, due.kind
    from unnest($2::text[]) as wanted(kind)
    cross join lateral (
        select w.process, w.aggregate_id, w.kind, w.due_at from process_tasks w
        where w.process = $1 and w.kind = wanted.kind and w.due_at <= now()
          and (w.leased_until is null or w.leased_until < now())
        order by w.due_at
        limit $3
        for update skip locked
    ) due
    order by due.due_at
    limit $3
) due
where (t.process, t.aggregate_id, t.kind) = (due.process, due.aggregate_id, due.kind)
returning t.aggregate_id, t.kind, t.position, t.request_id, t.correlation_id, t.attempts
