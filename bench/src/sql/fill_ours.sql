-- ours::fill. $1 accounts, $2 payload. Ten events each, 64 accounts taking turns, as 64 in flight would; and the head after them.
with head as (
    update log_head set position = position + 10 * cardinality($1::uuid[]) returning position - 10 * cardinality($1::uuid[]) as base
), written as (
    select a.id, s as sequence, row_number() over (order by (a.n - 1) / 64, s, a.n) as n
    from generate_series(1, 10) s, unnest($1::uuid[]) with ordinality a (id, n)
)
insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
select head.base + w.n, 'account', w.id, w.sequence, case w.sequence when 1 then 'Opened' else 'Booked' end, '1', $2::text, '{}', now()
from head, written w
order by w.n
