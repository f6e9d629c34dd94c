-- vault::keys. $1 person, $2 aggregates, $3 only of events up to this position. What names no person is of its aggregate.
select destroy_keys($1::uuid, $2::uuid[], $3::bigint)
