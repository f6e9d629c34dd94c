-- write::load::<ClubRow>: the rows of these aggregates, as JSON. Binds: $1 ids uuid[].
select row_to_json(t)
from clubs t
where club_id = any($1)
