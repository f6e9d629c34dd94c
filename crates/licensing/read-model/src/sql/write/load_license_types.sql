-- write::load::<LicenseTypeRow>: the rows of these aggregates, as JSON. Binds: $1 ids uuid[].
select row_to_json(t)
from license_types t
where license_type_id = any($1)
