-- verify::log: positions after $1 and through $2 that no event has, at most $3. Binds: $1 bigint, $2 bigint, $3 bigint.
select position
from generate_series($1::bigint + 1, $2::bigint) as due (position)
where not exists (select from events where events.position = due.position)
order by position
limit $3
