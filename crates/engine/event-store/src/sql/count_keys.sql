-- vault::rotation.
select master_key, sum(count)::bigint from (
    select k.master_key, count(*) as count
    from data_keys d cross join lateral unnest(d.master_keys, d.wrapped) as k (master_key, wrapped)
    where k.wrapped <> '' group by k.master_key
    union all select master_key, count(*) from person_keys where wrapped <> '' group by master_key
    union all select master_key, count(*) from log_secrets group by master_key
) k group by master_key
