-- batch::load: how far series of receipts are counted, as JSON. Binds: $1 ids uuid[].
select row_to_json(t) from counted_series t where series_id = any($1)
