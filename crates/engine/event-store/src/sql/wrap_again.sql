-- vault::rotation. $1, $2 per row: the row, keys up to and with it; $3, $4 per key: as it was wrapped, as it is wrapped now; $5 the active master key.
update data_keys d set wrapped = ($4::bytea[])[n.first:n.last], master_keys = array_fill($5::text, array[n.last - n.first + 1])
from (
    select r.after, r.last, coalesce(lag(r.last) over (order by r.n), 0) + 1 as first
    from unnest($1::bigint[], $2::integer[]) with ordinality as r (after, last, n)
) n
where d.after = n.after and d.wrapped = ($3::bytea[])[n.first:n.last]
