-- parked::rows::park: parks events; one that is parked already stays unchanged. Binds: $1 projection text, $2 aggregate types text[], $3 aggregate ids uuid[], $4 positions bigint[], $5 events text[], $6 reasons text[], $7 build text.
insert into parked_events (projection, aggregate_type, aggregate_id, position, event, reason, builds)
select $1, aggregate_type, aggregate_id, position, event, reason, array[$7::text]
from unnest($2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[])
    as parked (aggregate_type, aggregate_id, position, event, reason)
on conflict (projection, position) do nothing
