-- row_hashes: the key and the hash of every row of one table, hashed as digest does. Binds: $1 table text.
select order_id::text as id, hashtextextended(to_jsonb(t)::text, 0) as hash
from orders t
where $1::text = 'orders'
union all
select license_id::text, hashtextextended(to_jsonb(t)::text, 0)
from licenses t
where $1 = 'licenses'
union all
select license_type_id::text, hashtextextended(to_jsonb(t)::text, 0)
from license_types t
where $1 = 'license_types'
union all
select club_id::text, hashtextextended(to_jsonb(t)::text, 0)
from clubs t
where $1 = 'clubs'
union all
select 'position ' || position, hashtextextended((to_jsonb(t) - 'parked_at' - 'builds')::text, 0)
from parked_events t
where $1 = 'parked_events'
