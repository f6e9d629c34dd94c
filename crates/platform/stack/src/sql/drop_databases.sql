-- Databases::drop: the statements that drop databases and end their connections.
-- Binds: $1 text[] database names.
select format('drop database if exists %I with (force)', name) from unnest($1::text[]) as names (name)
