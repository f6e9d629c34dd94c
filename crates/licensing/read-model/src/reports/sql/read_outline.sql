-- reports::read_outline: how many rows of a list there are on each day, and where in the log that is true. Binds: $1 projection text, $2 list text, $3 sort key text, $4 dimension text, $5 value text, $6 status text or null, $7 first day date or null, $8 last day date or null.
select head.position, head.epoch, head.stale_since is not null as stale, counted.day, counted.rows
from (select 1) as one
left join checkpoints head on head.projection = $1
left join (
    select day, sum(row_count)::int8 as rows
    from outline
    where list = $2 and sort_key = $3 and dimension = $4 and value = $5 and ($6::text is null or status = $6)
      and day between coalesce($7::date, '-infinity') and coalesce($8::date, 'infinity')
    group by day
) counted on true
order by counted.day
