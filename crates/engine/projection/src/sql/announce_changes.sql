-- checkpoint::announce: new versions of the collections whose rows this transaction changed, and one notification of them and of the position, when it commits. Binds: $1 projection text, $2 channel text, $3 position text, $4 version by collection jsonb.
with changed as (
    update checkpoints
    set versions = versions || $4
    where projection = $1
)
select pg_notify($2, $3::text || ' ' || $4::text)
