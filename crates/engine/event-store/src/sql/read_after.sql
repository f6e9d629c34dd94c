-- Log::read_after. $1 after this position, $2 most rows.
select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
from events
where position > $1
order by position
limit $2
