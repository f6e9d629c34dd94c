-- batch::store: orders, new or counted further. Binds: $1 rows json, an array of objects.
insert into counted_orders (order_id, provider, lines, status, capture_failed, created_on, activity_date, position)
select order_id, provider, lines, status, capture_failed, created_on, activity_date, position
from json_to_recordset($1) as r (order_id uuid, provider text, lines jsonb, status text, capture_failed boolean, created_on date,
    activity_date date, position bigint)
on conflict (order_id) do update
set provider = excluded.provider, status = excluded.status, capture_failed = excluded.capture_failed, position = excluded.position
