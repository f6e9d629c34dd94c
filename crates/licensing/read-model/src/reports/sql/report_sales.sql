-- reports::read_sales: what was sold in a period by one grouping, with the total in the row without a key, and where in the log that is true. Binds: $1 projection text, $2 dimension text, $3 format of the day as key text or null, $4 first day date or null, $5 last day date or null.
with grouped as (
    select case when $3::text is null then value else to_char(day, $3) end as key,
           sum(orders)::int8 as orders, sum(licenses)::int8 as licenses, sum(receipts)::int8 as receipts,
           sum(credit_notes)::int8 as credit_notes, sum(gross_ore)::int8 as gross_ore,
           sum(refunded_ore)::int8 as refunded_ore, sum(tax_ore)::int8 as tax_ore
    from sales
    where dimension = $2 and day between coalesce($4::date, '-infinity') and coalesce($5::date, 'infinity')
    group by 1
), total as (
    select coalesce(sum(orders), 0)::int8 as orders, coalesce(sum(licenses), 0)::int8 as licenses,
           coalesce(sum(receipts), 0)::int8 as receipts, coalesce(sum(credit_notes), 0)::int8 as credit_notes,
           coalesce(sum(gross_ore), 0)::int8 as gross_ore, coalesce(sum(refunded_ore), 0)::int8 as refunded_ore,
           coalesce(sum(tax_ore), 0)::int8 as tax_ore
    from sales
    where dimension = 'all' and day between coalesce($4::date, '-infinity') and coalesce($5::date, 'infinity')
), report as (
    select null as key, null as name_nb, null as name_en, total.* from total
    union all
    select grouped.key, coalesce(club.name, license_type.name_nb), coalesce(club.name, license_type.name_en),
           orders, licenses, receipts, credit_notes, gross_ore, refunded_ore, tax_ore
    from grouped
    left join public.clubs club on $2 = 'club' and club.club_id::text = grouped.key
    left join public.license_types license_type on $2 = 'license_type' and license_type.code = grouped.key
)
select head.position, head.epoch, head.stale_since is not null as stale, report.*
from report
left join checkpoints head on head.projection = $1
order by report.key collate "C" nulls first
