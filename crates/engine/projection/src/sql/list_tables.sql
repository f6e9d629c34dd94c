-- shadow_schema::tables: our tables in a schema, the checkpoints first: the order of every session that locks several. Binds: $1 schema text.
select format('%I.%I', n.nspname, c.relname)
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p') and c.relowner = current_user::regrole
  and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = c.oid and deptype = 'e')
order by c.relname <> 'checkpoints', c.relname
