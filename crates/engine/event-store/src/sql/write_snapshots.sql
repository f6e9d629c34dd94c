-- snapshots::write. $1..$8 per snapshot: aggregate type, id, sequence, position, epoch, shape, correlation id, state; one per aggregate.
-- A newer one stays, unless it can't be used. None is written for another epoch of the log.
insert into snapshots as s (aggregate_type, aggregate_id, sequence, position, epoch, shape, correlation_id, state, taken_at)
select n.aggregate_type, n.aggregate_id, n.sequence, n.position, n.epoch, n.shape, n.correlation_id, n.state, now()
from unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], $8::text[])
     as n (aggregate_type, aggregate_id, sequence, position, epoch, shape, correlation_id, state)
join log_head h on h.epoch = n.epoch
on conflict (aggregate_type, aggregate_id) do update
    set sequence = excluded.sequence, position = excluded.position, epoch = excluded.epoch, shape = excluded.shape,
        correlation_id = excluded.correlation_id, state = excluded.state, taken_at = excluded.taken_at
    where s.sequence < excluded.sequence or s.epoch <> excluded.epoch or s.shape <> excluded.shape
       or not exists (
           select from events e
           where e.aggregate_type = s.aggregate_type and e.aggregate_id = s.aggregate_id and e.sequence = s.sequence
             and e.position = s.position)
