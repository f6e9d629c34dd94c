-- parked::rows::count: how many events are parked. Binds: $1 projection text.
select count(*)
from parked_events
where projection = $1
