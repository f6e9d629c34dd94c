-- rebuild::look: whether a rebuild runs or was left behind, and whether old rows are kept. Binds: $1 advisory lock bigint, $2 building schema text, $3 kept schema text.
select exists (
           select from pg_locks
           where locktype = 'advisory' and objsubid = 1
             and database = (select oid from pg_database where datname = current_database())
             and classid::bigint = $1::bigint >> 32 and objid::bigint = $1::bigint & 4294967295
       ) as running,
       to_regnamespace($2::text) is not null as building,
       to_regnamespace($3::text) is not null as kept
