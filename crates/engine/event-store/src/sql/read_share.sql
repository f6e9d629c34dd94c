-- Log::read_share. $1 after this position, $2 through this one, $3 which share, $4 of how many.
select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
from events
where position > $1 and position <= $2
  and (uuid_hash(aggregate_id) & 2147483647) % $4::int = $3::int
order by position
