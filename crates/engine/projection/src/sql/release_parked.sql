-- parked::rows::release: removes the parked events of an aggregate up to a position. Binds: $1 projection text, $2 aggregate type text, $3 aggregate id uuid, $4 through bigint.
delete from parked_events
where projection = $1 and aggregate_type = $2 and aggregate_id = $3 and position <= $4
