-- batch::store: how many licenses more of a type for activities. Binds: $1 rows json, an array of objects.
insert into activity_license_types as t (activity_id, license_type, sold, complimentary, checked_in, revoked)
select activity_id, license_type, sold, complimentary, checked_in, revoked
from json_to_recordset($1) as r (activity_id uuid, license_type text, sold bigint, complimentary bigint, checked_in bigint,
    revoked bigint)
on conflict (activity_id, license_type) do update
set sold = t.sold + excluded.sold, complimentary = t.complimentary + excluded.complimentary,
    checked_in = t.checked_in + excluded.checked_in, revoked = t.revoked + excluded.revoked
