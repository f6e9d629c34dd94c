-- outline::store: how many orders and licenses more there are on days; a row of none ends. Binds: $1 rows json, an array of objects.
merge into outline t
using json_to_recordset($1) as r (list text, sort_key text, dimension text, value text, day date, status text, more bigint)
on (t.list, t.sort_key, t.dimension, t.value, t.day, t.status) = (r.list, r.sort_key, r.dimension, r.value, r.day, r.status)
when matched and t.row_count + r.more = 0 then delete
when matched then update set row_count = t.row_count + r.more
when not matched then
    insert (list, sort_key, dimension, value, day, status, row_count)
    values (r.list, r.sort_key, r.dimension, r.value, r.day, r.status, r.more)
