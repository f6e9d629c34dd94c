-- Log::read_page. $1 after this position, $2 most rows. One row for each event, or one without an event; each with the head, of the same moment.
select e.position, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload, e.metadata, e.recorded_at,
       h.position, h.epoch
from log_head h
left join lateral (
    select position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at
    from events
    where position > $1
    order by position
    limit $2
) e on true
order by e.position
