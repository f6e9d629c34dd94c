-- checkpoint::mark_stale: whether the rows at this checkpoint are of another log than there is now; notifies readers if that changed. Binds: $1 projection text, $2 position bigint, $3 epoch uuid, $4 stale boolean, $5 channel text.
with marked as (
    update checkpoints
    set stale_since = case when $4 then now() end
    where projection = $1 and position = $2 and epoch = $3 and (stale_since is not null) <> $4
    returning projection
)
select pg_notify($5, 'marked')
from marked
