-- write::explain_parked: why the aggregate waits now: one event's own reason, and the others wait behind it. Binds: $1 projection text, $2 aggregate type text, $3 aggregate id uuid, $4 position bigint, $5 reason text, $6 reason of the others text.
update parked_events
set reason = case when position = $4 then $5 else $6 end
where projection = $1 and aggregate_type = $2 and aggregate_id = $3
