-- write::load::<LicenseRow>: the rows of these aggregates, as JSON. Binds: $1 ids uuid[].
select row_to_json(t)
from licenses t
where license_id = any($1)
