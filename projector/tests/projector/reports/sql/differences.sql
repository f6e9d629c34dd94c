-- projector/tests/projector/reports.rs: where the sums of the reports are not those of the rows of licensing. No binds.
with moved as (
    select r.happened_on as day, r.kind, r.receipt_id, r.provider, o.order_id, part, line
    from public.receipts r
    join public.orders o using (order_id),
         jsonb_array_elements(r.lines) part, jsonb_array_elements(o.lines) line
    where part -> 'line' = line -> 'line'
), dimensions as (
    select * from (values ('all'), ('club'), ('license_type'), ('category'), ('provider')) as d (dimension)
), money as (
    select dimension, day,
           case dimension when 'all' then '' when 'club' then line ->> 'club_id' when 'license_type' then line ->> 'license_type'
               when 'category' then line ->> 'category' else provider end as value,
           count(distinct receipt_id) filter (where kind = 'receipt') as receipts,
           count(distinct receipt_id) filter (where kind = 'credit_note') as credit_notes,
           coalesce(sum((part ->> 'gross_ore')::int8) filter (where kind = 'receipt'), 0) as gross_ore,
           coalesce(sum((part ->> 'gross_ore')::int8) filter (where kind = 'credit_note'), 0) as refunded_ore,
           sum((part ->> 'tax_ore')::int8 * case kind when 'receipt' then 1 else -1 end) as tax_ore
    from moved, dimensions
    group by 1, 2, 3
), sold as (
    select dimension, (o.fulfilled_at at time zone 'Europe/Oslo')::date as day,
           case dimension when 'all' then '' when 'club' then line ->> 'club_id' when 'license_type' then line ->> 'license_type'
               when 'category' then line ->> 'category' else o.payment_provider end as value,
           count(distinct o.order_id) as orders, count(*) as licenses
    from public.orders o, jsonb_array_elements(o.lines) line, dimensions
    where o.fulfilled_at is not null
    group by 1, 2, 3
), expected_sales as (
    select dimension, day, value, coalesce(orders, 0)::int8 as orders, coalesce(licenses, 0)::int8 as licenses,
           coalesce(receipts, 0)::int8 as receipts, coalesce(credit_notes, 0)::int8 as credit_notes,
           coalesce(gross_ore, 0)::int8 as gross_ore, coalesce(refunded_ore, 0)::int8 as refunded_ore,
           coalesce(tax_ore, 0)::int8 as tax_ore
    from money full join sold using (dimension, day, value)
), expected_activities as (
    -- A license that was given has an order id that is no order's.
    select club_id, activity_date, license_type,
           count(*) filter (where status <> 'revoked' and o.order_id is not null) as sold,
           count(*) filter (where status <> 'revoked' and o.order_id is null) as complimentary,
           count(*) filter (where checked_in_at is not null) as checked_in,
           count(*) filter (where status = 'revoked') as revoked
    from (select club_id, activity_date, license_type, l.status, checked_in_at, o.order_id
          from public.licenses l left join public.orders o using (order_id)) o
    group by grouping sets ((club_id, activity_date), (club_id, activity_date, license_type))
), found_activities as (
    select club_id, activity_date, null as license_type, sold, complimentary, checked_in, revoked from reports.activities
    union all
    select club_id, activity_date, t.license_type, t.sold, t.complimentary, t.checked_in, t.revoked
    from reports.activities a join reports.activity_license_types t using (activity_id)
)
select 'missing: ' || s::text from (select * from expected_sales except all select * from reports.sales) s
union all
select 'too much: ' || s::text from (select * from reports.sales except all select * from expected_sales) s
union all
select 'missing: ' || a::text from (select * from expected_activities except all select * from found_activities) a
union all
select 'too much: ' || a::text from (select * from found_activities except all select * from expected_activities) a
