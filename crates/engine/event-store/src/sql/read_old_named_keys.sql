-- vault::rotation. $1 the active master key, $2 most rows.
select aggregate_id, key_id, person_id, master_key, wrapped from person_keys where master_key <> $1 and wrapped <> '' limit $2
