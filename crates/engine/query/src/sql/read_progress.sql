-- projection::look: how far the rows have come, whether they are of another log, which versions of them there are, and how far the
-- log had come how long ago. The note of the log is dated by the clock of the primary, so a standby can't say how old it is. Binds:
-- $1 projection text.
select c.position, c.epoch, c.tables_id, c.versions, c.stale_since is not null as stale, h.position as head,
       case when not pg_is_in_recovery() then extract(epoch from clock_timestamp() - h.seen_at)::float8 end as head_age_s,
       clock_timestamp() as clock
from (select 1) as one
left join checkpoints c on c.projection = $1
left join log_heads h on h.projection = $1
