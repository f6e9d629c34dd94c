-- parked::rows::summarize: every aggregate with parked events, with the first of them. Binds: $1 projection text.
select distinct on (aggregate_type, aggregate_id)
    aggregate_type, aggregate_id, position, reason, parked_at, builds,
    count(*) over aggregate as events, max(position) over aggregate as last_position
from parked_events
where projection = $1
window aggregate as (partition by aggregate_type, aggregate_id)
order by aggregate_type, aggregate_id, position
