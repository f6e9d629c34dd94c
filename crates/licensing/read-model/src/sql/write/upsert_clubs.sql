-- write::upsert::<ClubRow>: whole rows, new or newer than what is there. Binds: $1 rows json, an array of objects.
insert into clubs as t (
    club_id, name, search, created_at, updated_at, version, position)
select
    club_id, name, search, created_at, updated_at, version, position
from json_to_recordset($1) as r (
    club_id uuid, name text, search text, created_at timestamptz, updated_at timestamptz, version
    bigint, position bigint)
on conflict (club_id) do update set
    name = excluded.name, search = excluded.search, created_at = excluded.created_at, updated_at =
    excluded.updated_at, version = excluded.version, position = excluded.position
where t.position < excluded.position
