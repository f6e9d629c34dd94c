-- projection::look: how far the rows have come in which epoch, whether they are of another log, and how far the log had come how long ago. Binds: $1 projection text.
select c.position, c.epoch, c.stale_since is not null as stale, h.position as head,
       extract(epoch from clock_timestamp() - h.seen_at)::float8 as head_age_s
from (select 1) as one
left join checkpoints c on c.projection = $1
left join log_heads h on h.projection = $1
