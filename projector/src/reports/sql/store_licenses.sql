-- batch::store: licenses, new or counted further. Binds: $1 rows json, an array of objects.
insert into counted_licenses (license_id, club_id, activity_date, license_type, category, discipline, role, complimentary,
    checked_in, suspended, revoked, created_on, position)
select license_id, club_id, activity_date, license_type, category, discipline, role, complimentary, checked_in, suspended, revoked,
    created_on, position
from json_to_recordset($1) as r (license_id uuid, club_id uuid, activity_date date, license_type text, category text,
    discipline text, role text, complimentary boolean, checked_in boolean, suspended boolean, revoked boolean, created_on date,
    position bigint)
on conflict (license_id) do update
set checked_in = excluded.checked_in, suspended = excluded.suspended, revoked = excluded.revoked, position = excluded.position
