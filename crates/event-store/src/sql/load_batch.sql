-- loader::Connected::query. $1..$4 per load: aggregate type, id, after this sequence, shape of a usable snapshot or null; $5 at most so many events each.
-- One row per event, or one without an event; the first of each load brings its snapshot. Within a load the order is the inner one; the reader checks it.
select l.n, h.epoch, s.sequence, s.correlation_id, case when e.sequence is null or e.sequence = s.sequence + 1 then s.state end,
       e.sequence, e.event_type, e.event_version, e.payload, e.correlation_id
from unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[]) with ordinality as l (aggregate_type, aggregate_id, after, shape, n)
cross join log_head h
left join lateral (
    select s.sequence, s.correlation_id, s.state
    from snapshots s
    where s.aggregate_type = l.aggregate_type and s.aggregate_id = l.aggregate_id and s.shape = l.shape and s.epoch = h.epoch
      and exists (
          select from events e
          where e.aggregate_type = s.aggregate_type and e.aggregate_id = s.aggregate_id and e.sequence = s.sequence
            and e.position = s.position)
) s on true
left join lateral (
    select e.sequence, e.event_type, e.event_version, e.payload,
           case when e.sequence = 1 then e.metadata::json ->> 'correlation_id' end as correlation_id
    from events e
    where e.aggregate_type = l.aggregate_type and e.aggregate_id = l.aggregate_id and e.sequence > coalesce(s.sequence, l.after)
    order by e.sequence
    limit $5
) e on true
order by l.n
