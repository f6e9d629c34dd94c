-- receipts::WaitingReceipt::load: receipts that wait for orders, as JSON. Binds: $1 order ids uuid[].
select row_to_json(t) from waiting_receipts t where order_id = any($1)
