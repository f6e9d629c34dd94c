-- peers::postgres_es::fill. $1 accounts, $2 payload. Ten events each, 64 accounts taking turns, as 64 in flight would.
insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
select 'account', a.id::text, s, e.type, '1', json_build_object(e.type, $2::text::json), '{}'
from generate_series(1, 10) s, unnest($1::uuid[]) with ordinality a (id, n),
     lateral (select case s when 1 then 'Opened' else 'Booked' end as type) e
order by (a.n - 1) / 64, s, a.n
