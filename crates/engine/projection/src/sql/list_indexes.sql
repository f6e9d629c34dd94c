-- shadow_schema::take_indexes: the indexes that no constraint needs: how to drop and how to create each, the slowest to create first. Binds: $1 schema text.
select format('drop index %I.%I', n.nspname, c.relname) as drop, pg_get_indexdef(c.oid) as create
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_am m on m.oid = c.relam
where n.nspname = $1 and not exists (select from pg_constraint where conindid = c.oid)
order by m.amname = 'gin' desc, c.relname like '%search%' desc, c.relname
