-- batch::store: orders, new or counted further. Binds: $1 rows json, an array of objects.
insert into counted_orders
select order_id, provider, lines, position
from json_to_recordset($1) as r (order_id uuid, provider text, lines jsonb, position bigint)
on conflict (order_id) do update set position = excluded.position
