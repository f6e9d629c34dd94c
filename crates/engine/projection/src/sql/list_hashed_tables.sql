-- digest::tables: the tables of the session's schema that hold rows of events, and for each the statement that gives its row count and an order-independent hash, and the statement that gives key and hash of each row. Binds: $1 columns of parked_events that are not hashed text[].
with hashed as (
    select c.relname, format('%I.%I', n.nspname, c.relname) as place,
           case
               when c.relname = 'parked_events' then format('hashtextextended((to_jsonb(t) - %L::text[])::text, 0)', $1::text[])
               else 'hashtextextended(to_jsonb(t)::text, 0)'
           end as hash,
           case
               when c.relname = 'parked_events' then '''position '' || t.position'
               else 'concat_ws('' '', ' || coalesce(key.columns, 't') || ')'
           end as key
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    left join lateral (
        select string_agg(format('t.%I', attname), ', ' order by array_position(indkey::int2[], attnum)) as columns
        from pg_index
        join pg_attribute on attrelid = indrelid and attnum = any(indkey)
        where indrelid = c.oid and indisprimary
    ) key on true
    where n.nspname = current_schema() and c.relkind in ('r', 'p') and c.relowner = current_user::regrole
      and c.relname not in ('checkpoints', 'leases', 'log_heads', 'refinery_schema_history')
      and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
)
select relname::text as table_name,
       format('select count(*) as rows, coalesce(sum(%s), 0)::text as hash from %s t', hash, place) as digest,
       format('select %s as id, %s as hash from %s t', key, hash, place) as row_hashes
from hashed
order by relname
