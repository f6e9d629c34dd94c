-- stream::by_type. $1 after this position, $2 up to this one, $3 event types, $4 most rows.
select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
from events
where position > $1 and position <= $2 and event_type = any($3)
order by position
limit $4
