-- Databases::exist: which of the two databases exist. Binds: $1 text[] database names.
select datname::text from pg_database where datname = any ($1::text[])
