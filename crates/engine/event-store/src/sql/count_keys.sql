-- vault::rotation.
select master_key, sum(count)::bigint from (
    select master_key, count(*) as count from person_keys where wrapped <> '' group by master_key
    union all select master_key, count(*) from log_secrets group by master_key
) k group by master_key
