-- vault::keys. $1 positions of events. The keys of every batch that holds one of these.
select d.after, d.events, d.person_ids, d.master_keys, d.wrapped
from (
    select distinct d.after from unnest($1::bigint[]) as p (position)
    cross join lateral (select d.after from data_keys d where d.after < p.position order by d.after desc limit 1) d
) b
cross join lateral (select d.* from data_keys d where d.after = b.after offset 0) d
