-- projector/tests/projector/reports.rs: where the counts of days are not those of the rows of licensing. No binds.
with filtered as (
    select 'orders' as list, sort_key, dimension, value, day, status
    from public.orders o
    cross join lateral (
        values ('created_at', (created_at at time zone 'Europe/Oslo')::date), ('activity_date', activity_from)
    ) as days (sort_key, day)
    cross join lateral (
        select 'all' as dimension, '' as value
        union all select 'club_id', club::text from unnest(club_ids) club
        union all select 'license_type', type from unnest(license_types) type
        union all select 'provider', payment_provider
    ) as filters
    union all
    select 'licenses', sort_key, dimension, value, day, status
    from public.licenses l
    cross join lateral (
        values ('created_at', (created_at at time zone 'Europe/Oslo')::date), ('activity_date', activity_date)
    ) as days (sort_key, day)
    cross join lateral (
        values ('all', ''), ('club_id', club_id::text), ('license_type', license_type), ('category', category),
               ('discipline', discipline), ('role', role),
               ('checked_in', case when checked_in_at is null then 'false' else 'true' end)
    ) as filters (dimension, value)
), expected as (
    select list, sort_key, dimension, value, day, status, count(*) as row_count
    from filtered
    group by list, sort_key, dimension, value, day, status
)
select 'missing: ' || e::text from (select * from expected except all select * from reports.outline) e
union all
select 'too much: ' || o::text from (select * from reports.outline except all select * from expected) o
