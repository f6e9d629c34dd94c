-- Databases::drop: the statements that remove databases with whoever is still connected.
-- Binds: $1 text[] database names.
select format('drop database if exists %I with (force)', name) from unnest($1::text[]) as names (name)
