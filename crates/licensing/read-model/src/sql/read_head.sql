-- checkpoint::read_head: how far the log had come, and how long ago. Binds: $1 projection text.
select position, extract(epoch from clock_timestamp() - seen_at)::float8 as age_s
from log_heads
where projection = $1
