-- batch::load: orders that were counted, as JSON. Binds: $1 ids uuid[].
select row_to_json(t) from counted_orders t where order_id = any($1)
