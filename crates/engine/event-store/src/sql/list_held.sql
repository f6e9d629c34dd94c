-- vault::keys. $1 person, $2 most rows. Reads all keys: erasures are rare, and an index by person slows every append.
select aggregate_type, aggregate_id from personal_data where person_id = $1 group by 1, 2 order by min(position) limit $2
