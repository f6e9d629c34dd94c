-- batch::store: how many licenses more for activities. Binds: $1 rows json, an array of objects.
insert into activities as t (activity_id, club_id, activity_date, sold, complimentary, checked_in, revoked, version, position)
select activity_id, club_id, activity_date, sold, complimentary, checked_in, revoked, version, position
from json_to_recordset($1) as r (activity_id uuid, club_id uuid, activity_date date, sold bigint, complimentary bigint,
    checked_in bigint, revoked bigint, version bigint, position bigint)
on conflict (activity_id) do update
set sold = t.sold + excluded.sold, complimentary = t.complimentary + excluded.complimentary,
    checked_in = t.checked_in + excluded.checked_in, revoked = t.revoked + excluded.revoked,
    version = t.version + excluded.version, position = greatest(t.position, excluded.position)
