-- Log::position_before. $1 a moment. recorded_at grows with position, so this is a search by halves over the primary key.
with recursive search (low, high) as (
    select 0::bigint, position from log_head
    union all
    select case when e.recorded_at < $1 then s.middle else s.low end,
           case when e.recorded_at < $1 then s.high else s.middle - 1 end
    from (select low, high, (low + high + 1) / 2 as middle from search where low < high) s
    join events e on e.position = s.middle
)
select low from search where low = high limit 1
