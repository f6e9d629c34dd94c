-- batch::store: the waiting receipts of orders end; those that wait on are kept again. Binds: $1 order ids uuid[].
delete from waiting_receipts where order_id = any($1)
