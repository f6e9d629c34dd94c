-- Log::read_back. $1 before this position, null for the end; $2 most rows.
select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
from events
where $1::bigint is null or position < $1
order by position desc
limit $2
