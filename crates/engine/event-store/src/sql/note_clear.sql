-- vault::keys. $1..$4 per row: aggregate type and id, person, position. A row without a key says where data in clear is.
insert into person_keys (aggregate_id, key_id, person_id, aggregate_type, position, master_key, wrapped)
select aggregate_id, person_id, person_id, aggregate_type, position, '', ''
from unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[]) as n (aggregate_type, aggregate_id, person_id, position)
on conflict (aggregate_id, key_id) do nothing
