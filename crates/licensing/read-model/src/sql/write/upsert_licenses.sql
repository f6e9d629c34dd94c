-- write::upsert::<LicenseRow>: whole rows, new or newer than what is there. Binds: $1 rows json, an array of objects.
insert into licenses as t (
    license_id, order_id, order_number, line, customer_id, status, license_type, category,
    discipline, role, name_nb, name_en, club_id, club_name, activity_date, activity_days,
    holder_name, holder_birth_date, holder_phone, holder_email, guardian, vehicle, price_ore,
    search, issued_at, created_at, updated_at, version, position)
select
    license_id, order_id, order_number, line, customer_id, status, license_type, category,
    discipline, role, name_nb, name_en, club_id, club_name, activity_date, activity_days,
    holder_name, holder_birth_date, holder_phone, holder_email, guardian, vehicle, price_ore,
    search, issued_at, created_at, updated_at, version, position
from json_to_recordset($1) as r (
    license_id uuid, order_id uuid, order_number text, line integer, customer_id uuid, status text,
    license_type text, category text, discipline text, role text, name_nb text, name_en text,
    club_id uuid, club_name text, activity_date date, activity_days integer, holder_name text,
    holder_birth_date date, holder_phone text, holder_email text, guardian jsonb, vehicle jsonb,
    price_ore bigint, search text, issued_at timestamptz, created_at timestamptz, updated_at
    timestamptz, version bigint, position bigint)
on conflict (license_id) do update set
    order_id = excluded.order_id, order_number = excluded.order_number, line = excluded.line,
    customer_id = excluded.customer_id, status = excluded.status, license_type =
    excluded.license_type, category = excluded.category, discipline = excluded.discipline, role =
    excluded.role, name_nb = excluded.name_nb, name_en = excluded.name_en, club_id =
    excluded.club_id, club_name = excluded.club_name, activity_date = excluded.activity_date,
    activity_days = excluded.activity_days, holder_name = excluded.holder_name, holder_birth_date =
    excluded.holder_birth_date, holder_phone = excluded.holder_phone, holder_email =
    excluded.holder_email, guardian = excluded.guardian, vehicle = excluded.vehicle, price_ore =
    excluded.price_ore, search = excluded.search, issued_at = excluded.issued_at, created_at =
    excluded.created_at, updated_at = excluded.updated_at, version = excluded.version, position =
    excluded.position
where t.position < excluded.position
