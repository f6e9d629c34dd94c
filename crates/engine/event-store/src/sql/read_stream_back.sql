-- Log::read_stream_back. $1 aggregate type, $2 aggregate id, $3 before this sequence, null for the end; $4 most rows.
select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
from events
where aggregate_type = $1 and aggregate_id = $2 and ($3::bigint is null or sequence < $3)
order by sequence desc
limit $4
