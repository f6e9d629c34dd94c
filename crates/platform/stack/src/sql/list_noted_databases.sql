-- left_databases::drop_once: databases with what is noted of their process.
select d.datname::text, s.description
from pg_database d
join pg_shdescription s on s.objoid = d.oid and s.classoid = 'pg_database'::regclass
where s.description like $1
