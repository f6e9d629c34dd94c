-- batch::store: what was sold more. Binds: $1 rows json, an array of objects.
insert into sales as t (dimension, day, value, orders, licenses, receipts, credit_notes, gross_ore, refunded_ore, tax_ore)
select dimension, day, value, orders, licenses, receipts, credit_notes, gross_ore, refunded_ore, tax_ore
from json_to_recordset($1) as r (dimension text, day date, value text, orders bigint, licenses bigint, receipts bigint,
    credit_notes bigint, gross_ore bigint, refunded_ore bigint, tax_ore bigint)
on conflict (dimension, day, value) do update
set orders = t.orders + excluded.orders, licenses = t.licenses + excluded.licenses,
    receipts = t.receipts + excluded.receipts, credit_notes = t.credit_notes + excluded.credit_notes,
    gross_ore = t.gross_ore + excluded.gross_ore, refunded_ore = t.refunded_ore + excluded.refunded_ore,
    tax_ore = t.tax_ore + excluded.tax_ore
