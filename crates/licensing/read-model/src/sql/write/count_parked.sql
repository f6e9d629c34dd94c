-- write::count_parked: how many events wait. Binds: $1 projection text.
select count(*)
from parked_events
where projection = $1
