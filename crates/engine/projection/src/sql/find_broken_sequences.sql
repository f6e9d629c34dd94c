-- verify::log: events through $1 whose sequence is not the number of their aggregate's events so far, at most $2. Binds: $1 bigint, $2 bigint.
select aggregate_type, aggregate_id, sequence, position, due
from (
    select aggregate_type, aggregate_id, sequence, position,
           row_number() over aggregate as due, lag(position) over aggregate as previous
    from events
    where position <= $1
    window aggregate as (partition by aggregate_type, aggregate_id order by sequence)
) numbered
where sequence <> due or previous >= position
order by position
limit $2
