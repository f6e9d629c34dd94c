-- head::see: how far the log has come, unless a later look is stored. Binds: $1 projection text, $2 position bigint, $3 seen at timestamptz.
insert into log_heads as h (projection, position, seen_at)
values ($1, $2, $3)
on conflict (projection) do update set position = excluded.position, seen_at = excluded.seen_at
where h.seen_at < excluded.seen_at
