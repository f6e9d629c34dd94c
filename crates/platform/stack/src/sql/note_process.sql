-- Databases::fresh: the statements that note which process both databases are of. Binds: $1 events database, $2 read
-- database, $3 the process.
select format('comment on database %I is %L', database, $3::text)
from unnest(array[$1::text, $2::text]) as database
