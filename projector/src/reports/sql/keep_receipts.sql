-- batch::store: receipts that wait for their order. Binds: $1 rows json, an array of objects.
insert into waiting_receipts
select receipt_id, order_id, receipt from json_to_recordset($1) as r (receipt_id uuid, order_id uuid, receipt jsonb)
