-- batch::store: licenses, new or counted further. Binds: $1 rows json, an array of objects.
insert into counted_licenses
select license_id, club_id, activity_date, license_type, complimentary, checked_in, revoked, position
from json_to_recordset($1) as r (license_id uuid, club_id uuid, activity_date date, license_type text, complimentary boolean,
    checked_in boolean, revoked boolean, position bigint)
on conflict (license_id) do update
set checked_in = excluded.checked_in, revoked = excluded.revoked, position = excluded.position
