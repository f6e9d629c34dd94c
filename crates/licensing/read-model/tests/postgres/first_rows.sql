-- Rows of the first schema, as it was published. Binds: $1 how many orders; each gets two licenses.
-- Spread over 100 customers, 50 clubs, 20 types, 300 days, four statuses; ten orders share each creation time, so that the key
-- has to break ties.
with orders_made as (
    insert into orders (order_id, order_number, customer_id, status, total_ore, payment_provider, lines, club_ids,
                        license_types, activity_from, activity_to, search, created_at, updated_at, version, position)
    select md5('order' || n)::uuid, 'BL-' || n, md5('customer' || n % 100)::uuid,
           case when n % 200 = 0 then 'refund_pending' when n % 10 = 0 then 'expired' else 'fulfilled' end,
           (n % 70 + 1) * 1000, case when n % 500 = 0 then 'nexi' else 'vipps' end,
           jsonb_build_array(jsonb_build_object('line', 1, 'activity_date', date '2026-01-01' + n % 300)),
           array[md5('club' || n % 50)::uuid], array['type-' || n % 20],
           date '2026-01-01' + n % 300, date '2026-01-01' + n % 300,
           'bl' || n || ' kari nordmann' || md5('name' || n) || ' kari' || n || '@example.no 47900' || 10000 + n || ' ek' || 10000 + n,
           timestamptz '2026-01-01' + n / 10 * interval '1 minute', now(), 1, n
    from generate_series(1, $1::int4) as n
    returning order_id, customer_id, order_number, activity_from, club_ids, position, created_at
)
insert into licenses (license_id, order_id, line, customer_id, status, license_type, category, discipline, role, name_nb,
                      name_en, club_id, club_name, activity_date, holder_name, holder_birth_date, price_ore, search,
                      issued_at, created_at, updated_at, version, position)
select md5('license' || order_number || line)::uuid, order_id, line, customer_id, 'issued', 'type-' || position % 20,
       case when position % 400 = 0 then 'test' else 'competition' end, 'bilcross',
       case when position % 300 = 0 then 'codriver' else 'driver' end, 'Bilcross', 'Bilcross',
       club_ids[1], 'NMK', activity_from, 'Kari', date '1990-01-01', 1000, lower(replace(order_number, '-', '')) || ' kari ' || md5(order_number),
       created_at, created_at, now(), 1, position
from orders_made, generate_series(1, 2) as line
