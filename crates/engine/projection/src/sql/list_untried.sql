-- parked::rows::list_untried: aggregates whose first parked event a build has not tried to apply. Binds: $1 projection text, $2 build text, $3 limit bigint.
select aggregate_type, aggregate_id, position
from (
    select distinct on (aggregate_type, aggregate_id) aggregate_type, aggregate_id, position, builds
    from parked_events
    where projection = $1
    order by aggregate_type, aggregate_id, position
) first
where $2::text <> all(builds)
order by position
limit $3
