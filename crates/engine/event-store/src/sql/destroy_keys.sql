-- vault::keys. $1 person, $2 aggregates, $3 only of commands up to this position. What names no person is of its aggregate.
delete from person_keys
where aggregate_id = any ($2::uuid[]) and person_id in ($1, aggregate_id) and position <= $3
