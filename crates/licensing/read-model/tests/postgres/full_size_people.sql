-- Ten years of people: 60,000 users, and 100,000 receipts and credit notes of 25,000 of them.
insert into users (user_id, name, email, phone, roles, club_ids, search, created_at, updated_at, version, position)
select md5('customer' || n)::uuid, 'Kari', 'kari@example.no', '90000000',
       case when n % 5000 = 0 then array['admin'] when n % 500 = 0 then array['organizer'] when n % 10 = 0 then array['customer'] end,
       '{}',
       ' ' || (array['kari', 'ola', 'ingrid', 'bjorn', 'astrid', 'hakon', 'sigrid', 'oystein'])[1 + n % 8]
           || ' ' || md5('name' || n / 7) || ' kari' || n || '@example.no 479' || 1000000 + n,
       timestamptz '2016-01-01' + n * interval '87 minutes', timestamptz '2016-01-01' + n * interval '87 minutes', 1, n
from generate_series(0, 59999) as n;
-- A credit note in fifty. Captures come up to two months after the order, so the days go a little astray of the numbers.
with drawn as (
    select n, random() as a, random() as b, timestamptz '2016-01-01' + n * interval '52 minutes' as created_at
    from generate_series(1, 100000) as n
)
insert into receipts (receipt_id, receipt_number, year, number, kind, order_id, order_number, customer_id, provider, payment_reference,
                      lines, gross_ore, tax_ore, currency, happened_on, happened_at, created_at, updated_at, version, position)
select md5('receipt' || n)::uuid, extract(year from created_at) || '-' || lpad(n::text, 6, '0'), extract(year from created_at), n,
       case when n % 50 = 0 then 'credit_note' else 'receipt' end, md5('order' || n)::uuid, 'BL-' || n,
       md5('customer' || floor(a * 25000))::uuid, 'vipps', 'reference', '[]', 42000, 0, 'NOK',
       (created_at - b * b * interval '2 days')::date, created_at, created_at, created_at, 1, n
from drawn
