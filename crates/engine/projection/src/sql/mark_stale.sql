-- checkpoint::mark_stale: whether the rows at this checkpoint are of another log than there is now. Binds: $1 projection text, $2 position bigint, $3 epoch uuid, $4 stale boolean.
update checkpoints
set stale_since = case when $4 then now() end
where projection = $1 and position = $2 and epoch = $3 and (stale_since is not null) <> $4
