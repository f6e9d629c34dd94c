-- peers::postgres_es::fill. $1 accounts, $2 payload. Ten events each.
insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
select 'account', a.id::text, s, e.type, '1', json_build_object(e.type, $2::text::json), '{}'
from generate_series(1, 10) s, unnest($1::uuid[]) a (id),
     lateral (select case s when 1 then 'Opened' else 'Booked' end as type) e
