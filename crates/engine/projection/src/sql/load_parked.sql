-- parked::rows::load: the parked events of one aggregate, in order. Binds: $1 projection text, $2 aggregate type text, $3 aggregate id uuid.
select position, event
from parked_events
where projection = $1 and aggregate_type = $2 and aggregate_id = $3
order by position
