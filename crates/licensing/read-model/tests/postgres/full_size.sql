-- Ten years of rows: 100,000 orders with 150,000 licenses of 25,000 customers. Values are drawn independently, as skewed as a shop's:
-- few refunds, one club in six sells most, four categories of unequal size.
with drawn as (
    select n, random() as a, random() as b, random() as c, random() as d, random() as e, random() as f,
           timestamptz '2016-01-01' + n * interval '52 minutes' as created_at
    from generate_series(1, 100000) as n
),
placed as (
    select n, created_at,
           md5('order' || n)::uuid as order_id,
           md5('customer' || floor(a * 25000))::uuid as customer_id,
           md5('club' || floor(power(b, 1.5) * 180))::uuid as club_id,
           floor(c * c * 42)::int as kind,
           (created_at + floor(d * d * 60) * interval '1 day')::date as activity_date,
           case when e < 0.85 then 'fulfilled' when e < 0.97 then 'expired' when e < 0.99 then 'cancelled'
                when e < 0.995 then 'refunded' when e < 0.999 then 'refund_pending' else 'payment_pending' end as status,
           case when f < 0.7 then 'vipps' else 'nexi' end as provider,
           case when n % 2 = 0 then 2 else 1 end as lines
    from drawn
),
orders_made as (
    insert into orders (order_id, order_number, customer_id, status, refund_state, total_ore, payment_provider, lines, club_ids,
                        license_types, activity_from, activity_to, activity_dates, search, created_at, updated_at, version, position)
    select order_id, 'BL-' || n, customer_id, status,
           case when status = 'refunded' then 'refunded' when status = 'refund_pending' then case when n % 9 = 0 then 'failed' else 'pending' end end,
           lines * (kind + 3) * 5000, provider, '[]', array[club_id], array['type-' || kind], activity_date, activity_date,
           array[activity_date],
           ' bl' || n || ' ' || (array['kari', 'ola', 'ingrid', 'bjorn', 'astrid', 'hakon', 'sigrid', 'oystein'])[1 + n % 8]
               || ' ' || md5('name' || n / 7) || ' kari' || n || '@example.no 479' || 1000000 + n || ' ek' || 10000 + n,
           created_at, created_at, 1, n * 3
    from placed
)
insert into licenses (license_id, order_id, line, customer_id, status, license_type, category, discipline, role, name_nb,
                      name_en, club_id, club_name, activity_date, holder_id, holder_name, holder_birth_date, price_ore, search,
                      checked_in_at, issued_at, created_at, updated_at, version, position)
select md5('license' || n || '/' || line)::uuid, order_id, line, customer_id,
       case when status in ('refunded', 'refund_pending') then 'revoked' else 'issued' end, 'type-' || kind,
       case when kind < 20 then 'competition' when kind < 34 then 'track_day' when kind < 41 then 'training' else 'test' end,
       'discipline-' || kind % 11, case when kind % 6 = 0 then 'codriver' else 'driver' end, 'Bilcross', 'Bilcross',
       club_id, 'NMK', activity_date, md5('holder' || n / 5 || '/' || line)::uuid, 'Kari', date '1990-01-01', (kind + 3) * 5000,
       ' bl' || n || ' ' || (array['kari', 'ola', 'ingrid', 'bjorn', 'astrid', 'hakon', 'sigrid', 'oystein'])[1 + n % 8]
           || ' ' || md5('name' || n / 7) || ' ek' || 10000 + n,
       case when n % 3 = 0 then created_at end, created_at, created_at, created_at, 1, n * 3 + line
from placed, generate_series(1, lines) as line
