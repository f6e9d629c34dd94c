-- parked::rows::explain: why the aggregate waits now: one event's own reason, and the others behind it. Of the builds that tried that event the last 20 are kept. Binds: $1 projection text, $2 aggregate type text, $3 aggregate id uuid, $4 position bigint, $5 reason text, $6 reason of the others text, $7 build text.
update parked_events
set reason = case when position = $4 then $5 else $6 end,
    builds = case
        when position = $4 then (array_remove(builds, $7::text) || $7::text)[greatest(1, cardinality(array_remove(builds, $7::text)) - 18):]
        else builds
    end
where projection = $1 and aggregate_type = $2 and aggregate_id = $3
