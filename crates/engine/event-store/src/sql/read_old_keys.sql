-- vault::rotation. $1 the active master key, $2 only rows after this one, $3 most rows.
select d.after, d.events, d.person_ids, d.master_keys, d.wrapped
from data_keys d
where d.after > $2 and exists (
    select from unnest(d.master_keys, d.wrapped) as k (master_key, wrapped) where k.master_key <> $1 and k.wrapped <> ''
)
order by d.after limit $3
