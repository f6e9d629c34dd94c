-- What a statement filters, sorts or calculates by is a typed column. JSON is only shown: one value in it that does not
-- fit its type made every answer fail that looked at the row.

alter table orders add column activity_dates date[] not null default '{}';
comment on column orders.activity_dates is 'Each day of each line''s activity, once, in order (local dates).';
update orders set activity_dates = array(
    select distinct first_day + more
    from jsonb_array_elements(case when jsonb_typeof(lines) = 'array' then lines else '[]' end) as line
    cross join lateral (
        select case when line->>'activity_date' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then (line->>'activity_date')::date end as first_day,
               case when jsonb_typeof(line->'activity_days') = 'number' then (line->>'activity_days')::int else 1 end as days
    ) as activity
    cross join lateral generate_series(0, least(days, 31) - 1) as more
    where first_day is not null
    order by 1);

alter table license_types
    add column prices_ore        bigint[]      not null default '{}',
    add column prices_valid_from timestamptz[] not null default '{}',
    add column search            text          not null default '';
comment on column license_types.prices            is 'Effective-dated prices in the order they were set, as they are shown: [{price_ore, valid_from}], valid_from an RFC 3339 timestamp.';
comment on column license_types.prices_ore        is 'The amounts of those prices that can come into force, in øre, in the same order.';
comment on column license_types.prices_valid_from is 'The starts of those prices; the price now is the one with the latest start that has come, and the later entry of a tie.';
comment on column license_types.search            is 'What q searches, folded, separated by spaces: code and names.';
-- A start in a year that no column says never comes: it is shown and not calculated with.
update license_types t set (prices_ore, prices_valid_from) = (
    select coalesce(array_agg((price->>'price_ore')::bigint order by place), '{}'),
           coalesce(array_agg(starts order by place), '{}')
    from jsonb_array_elements(t.prices) with ordinality as listed(price, place)
    cross join lateral (
        select case when price->>'valid_from' ~ '^[0-9]{4}-' then (price->>'valid_from')::timestamptz end as starts
    ) as typed
    where starts is not null);
update license_types set search = lower(normalize(concat_ws(' ', code, name_nb, name_en)) collate "nb-x-icu");

alter table clubs add column search text not null default '';
comment on column clubs.search is 'What q searches, folded: the name.';
update clubs set search = lower(normalize(name) collate "nb-x-icu");

-- Numbers are found however they are written. Rows that exist get theirs when they are built again (V8).
comment on column orders.search   is 'What q searches, folded, separated by spaces: holder names and e-mails; order number and vehicles as letters and digits only; phones as country code and number; personal data.';
comment on column licenses.search is 'What q searches, folded, separated by spaces: holder name and e-mail; order number and vehicle as letters and digits only; phone as country code and number; personal data.';

-- No row is let in that a reader could not be told: days and moments that RFC 3339 can say. The projector parks such an
-- event before it comes here, with its reason.
alter table orders add constraint orders_days check (
    activity_from >= '1900-01-01' and activity_to <= '9999-12-31' and activity_from <= activity_to
    and expires_at between '1900-01-01T00:00:00Z' and '9999-12-31T23:59:59.999999Z');
alter table licenses add constraint licenses_days check (
    activity_date between '1900-01-01' and '9999-12-31' and holder_birth_date between '1900-01-01' and '9999-12-31');
alter table license_types add constraint license_types_prices check (
    cardinality(prices_ore) = cardinality(prices_valid_from)
    and '1900-01-01T00:00:00Z' <= all (prices_valid_from) and '9999-12-31T23:59:59.999999Z' >= all (prices_valid_from));
