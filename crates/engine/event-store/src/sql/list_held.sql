-- vault::keys. $1 person, $2 most rows.
select aggregate_type, aggregate_id from person_keys where person_id = $1 group by 1, 2 order by min(position) limit $2
