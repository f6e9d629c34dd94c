-- digest: rows and an order-independent hash of each table, without what depends on the clock. No binds.
select 'orders' as table_name, count(*) as rows, coalesce(sum(hashtextextended(to_jsonb(t)::text, 0)), 0)::text as hash
from orders t
union all
select 'licenses', count(*), coalesce(sum(hashtextextended(to_jsonb(t)::text, 0)), 0)::text
from licenses t
union all
select 'license_types', count(*), coalesce(sum(hashtextextended(to_jsonb(t)::text, 0)), 0)::text
from license_types t
union all
select 'clubs', count(*), coalesce(sum(hashtextextended(to_jsonb(t)::text, 0)), 0)::text
from clubs t
union all
select 'parked_events', count(*), coalesce(sum(hashtextextended((to_jsonb(t) - 'parked_at' - 'builds')::text, 0)), 0)::text
from parked_events t
