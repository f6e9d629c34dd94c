-- verify::log: how many events have a position after $1 and through $2. Binds: $1 bigint, $2 bigint.
select count(*) from events where position > $1 and position <= $2
