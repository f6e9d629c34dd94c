-- Log::load_up_to. $1 aggregate type, $2 aggregate id, $3 after this sequence, $4 most rows.
select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
from events
where aggregate_type = $1 and aggregate_id = $2 and sequence > $3
order by sequence
limit $4
