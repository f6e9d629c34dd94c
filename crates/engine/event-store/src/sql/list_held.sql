-- vault::keys. $1 person, $2 most rows. Reads the whole table: erasures are rare, and an index by person slows every append.
select aggregate_type, aggregate_id from person_keys where person_id = $1 group by 1, 2 order by min(position) limit $2
