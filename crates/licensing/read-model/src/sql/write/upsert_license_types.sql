-- write::upsert::<LicenseTypeRow>: whole rows, new or newer than what is there. Binds: $1 rows json, an array of objects.
insert into license_types as t (
    license_type_id, code, category, discipline, role, name_nb, name_en, prices, prices_ore,
    prices_valid_from, min_age, max_age, max_days, status, search, created_at, updated_at, version,
    position)
select
    license_type_id, code, category, discipline, role, name_nb, name_en, prices, prices_ore,
    prices_valid_from, min_age, max_age, max_days, status, search, created_at, updated_at, version,
    position
from json_to_recordset($1) as r (
    license_type_id uuid, code text, category text, discipline text, role text, name_nb text,
    name_en text, prices jsonb, prices_ore bigint[], prices_valid_from timestamptz[], min_age
    integer, max_age integer, max_days integer, status text, search text, created_at timestamptz,
    updated_at timestamptz, version bigint, position bigint)
on conflict (license_type_id) do update set
    code = excluded.code, category = excluded.category, discipline = excluded.discipline, role =
    excluded.role, name_nb = excluded.name_nb, name_en = excluded.name_en, prices = excluded.prices,
    prices_ore = excluded.prices_ore, prices_valid_from = excluded.prices_valid_from, min_age =
    excluded.min_age, max_age = excluded.max_age, max_days = excluded.max_days, status =
    excluded.status, search = excluded.search, created_at = excluded.created_at, updated_at =
    excluded.updated_at, version = excluded.version, position = excluded.position
where t.position < excluded.position
