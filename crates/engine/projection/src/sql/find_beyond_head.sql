-- verify::log: the head, and the last position that an event has, at one moment. No binds.
select position as head, coalesce((select max(position) from events), 0) as last
from log_head
