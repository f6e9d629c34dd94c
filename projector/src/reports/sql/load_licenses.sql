-- batch::load: licenses that were counted, as JSON. Binds: $1 ids uuid[].
select row_to_json(t) from counted_licenses t where license_id = any($1)
