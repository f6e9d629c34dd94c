-- commits::watch: the statements that add the trigger, one for each table, so that none waits for a table with another locked.
select format('create trigger see_commit after insert or update or delete on %s
               for each statement execute function see_commit()', oid::regclass)
from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'commits_seen'
