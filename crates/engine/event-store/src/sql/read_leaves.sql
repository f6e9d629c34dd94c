-- seal::table::Table::leaves. $1 first position, $2 last, $3 most rows: more than the range holds, if positions came to repeat.
select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
from events
where position between $1 and $2
order by position
limit $3
