-- write::load::<OrderRow>: the rows of these aggregates, as JSON. Binds: $1 ids uuid[].
select row_to_json(t)
from orders t
where order_id = any($1)
