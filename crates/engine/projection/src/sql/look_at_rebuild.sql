-- rebuild::State::read: whether a rebuild runs, and whether its schema exists. Binds: $1 advisory lock bigint, $2 building schema text.
select exists (
           select from pg_locks
           where locktype = 'advisory' and objsubid = 1
             and database = (select oid from pg_database where datname = current_database())
             and classid::bigint = $1::bigint >> 32 and objid::bigint = $1::bigint & 4294967295
       ) as running,
       to_regnamespace($2::text) is not null as building
