-- swap::statistics: our extended statistics in a schema. Binds: $1 schema text.
select format('%I.%I', n.nspname, s.stxname)
from pg_statistic_ext s
join pg_namespace n on n.oid = s.stxnamespace
where n.nspname = $1 and s.stxowner = current_user::regrole
order by s.stxname
