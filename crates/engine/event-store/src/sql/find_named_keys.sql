-- vault::keys. $1, $2 per key: aggregate, id.
select k.aggregate_id, k.key_id, k.person_id, k.master_key, k.wrapped
from (select distinct aggregate_id, key_id from unnest($1::uuid[], $2::uuid[]) as n (aggregate_id, key_id)) n
cross join lateral (
    select k.* from person_keys k where k.aggregate_id = n.aggregate_id and k.key_id = n.key_id offset 0
) k
