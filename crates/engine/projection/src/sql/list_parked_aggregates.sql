-- parked::rows::list_aggregates: which of these aggregates have parked events. Binds: $1 projection text, $2 aggregate ids uuid[].
select aggregate_type, aggregate_id, min(position) as position
from parked_events
where projection = $1 and aggregate_id = any($2)
group by aggregate_type, aggregate_id
