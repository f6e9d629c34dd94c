-- vault::rotation. $1..$4 per key: aggregate, id, as it was wrapped, as it is wrapped now; $5 the active master key.
update person_keys k set wrapped = n.new, master_key = $5
from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) as n (aggregate_id, key_id, old, new)
where k.aggregate_id = n.aggregate_id and k.key_id = n.key_id and k.wrapped = n.old
