-- limit::start_group_commit. $1 first position, $2 ids, $3 payloads.
insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
select $1::bigint - 1 + e.n, 'account', e.id, 1, 'Opened', '1', e.payload, '{}', clock_timestamp()
from unnest($2::uuid[], $3::text[]) with ordinality as e (id, payload, n)
