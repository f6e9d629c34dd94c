-- ours::fill. $1 accounts, $2 payload. Ten events each, and the head after them.
with head as (
    update log_head set position = position + 10 * cardinality($1::uuid[]) returning position - 10 * cardinality($1::uuid[]) as base
)
insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
select head.base + (s - 1) * cardinality($1::uuid[]) + a.n, 'account', a.id, s, case s when 1 then 'Opened' else 'Booked' end, '1',
       $2::text, '{}', now()
from head, generate_series(1, 10) s, unnest($1::uuid[]) with ordinality a (id, n)
