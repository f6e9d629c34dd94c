-- compare::compare: each table of two schemas, how its columns differ, and the statements that compare its rows by the common columns. Binds: $1 live schema text, $2 rebuilt schema text, $3 names of columns that depend on the clock or the build text[].
with tables as (
    select c.oid, c.relname, n.nspname = $1::text as live
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ($1::text, $2::text) and c.relkind in ('r', 'p') and c.relowner = current_user::regrole
      and c.relname not in ('checkpoints', 'leases', 'log_heads', 'refinery_schema_history')
      and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
), columns as (
    select relname, attname, atttypid,
           coalesce(min(attnum) filter (where not live), min(attnum)) as place,
           bool_or(live) as in_live, bool_or(not live) as in_rebuilt,
           bool_or(exists (select from pg_index where indrelid = oid and indisprimary and attnum = any(indkey))) as in_key
    from tables
    join pg_attribute on attrelid = oid and attnum > 0 and not attisdropped
    group by relname, attname, atttypid
), shapes as (
    select relname,
           array_agg(attname::text order by place) filter (where in_live and not in_rebuilt) as only_live,
           array_agg(attname::text order by place) filter (where in_rebuilt and not in_live) as only_rebuilt,
           string_agg(format('t.%I', attname), ', ' order by place)
               filter (where in_live and in_rebuilt and attname <> all($3::text[])) as compared,
           string_agg(format('t.%I', attname), ', ' order by place) filter (where in_live and in_rebuilt and in_key) as key
    from columns
    group by relname
)
select relname::text as name,
       exists (select from tables t where t.relname = s.relname and live) as in_live,
       exists (select from tables t where t.relname = s.relname and not live) as in_rebuilt,
       coalesce(only_live, '{}') as only_live, coalesce(only_rebuilt, '{}') as only_rebuilt,
       format('select count(*), coalesce(sum(hash_record_extended(row(%s), 0)), 0)::text from %I.%I t',
              compared, $1::text, relname) as digest_live,
       format('select count(*), coalesce(sum(hash_record_extended(row(%s), 0)), 0)::text from %I.%I t',
              compared, $2::text, relname) as digest_rebuilt,
       format('select count(*) filter (where live.key is null), count(*) filter (where rebuilt.key is null), '
              'count(*) filter (where live.hash <> rebuilt.hash), '
              'min(key) filter (where live.hash is distinct from rebuilt.hash) '
              'from (select concat_ws('' '', %1$s) as key, hash_record_extended(row(%2$s), 0) as hash from %3$I.%5$I t) live '
              'full join (select concat_ws('' '', %1$s) as key, hash_record_extended(row(%2$s), 0) as hash from %4$I.%5$I t) rebuilt '
              'using (key)',
              key, compared, $1::text, $2::text, relname) as difference
from shapes s
order by relname
