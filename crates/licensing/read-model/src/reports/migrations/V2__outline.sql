-- How many orders and licenses there are on each day, so that a list of millions can be scrolled by date.
create table outline (
    list      text   not null check (list in ('orders', 'licenses')),
    sort_key  text   not null check (sort_key in ('created_at', 'activity_date')),
    dimension text   not null check (dimension in ('all', 'club_id', 'license_type', 'provider', 'category', 'discipline', 'role', 'checked_in')),
    value     text   not null,
    day       date   not null,
    status    text   not null,
    row_count bigint not null check (row_count > 0),
    primary key (list, sort_key, dimension, value, day, status)
);
comment on table  outline           is 'How many rows of a list there are on each day, once for each sort key with days and each filter that is covered. There is no row for a day without rows.';
comment on column outline.list      is 'The list: orders or licenses.';
comment on column outline.sort_key  is 'The sort key that the day is of.';
comment on column outline.dimension is 'The filter that the rows satisfy, or all. An order for two clubs is in the rows of both.';
comment on column outline.value     is 'What that filter asks for; empty for all.';
comment on column outline.day       is 'The day, of a moment that in Norway.';
comment on column outline.status    is 'Status of the orders or licenses.';
comment on column outline.row_count is 'How many there are.';

-- Rows that exist lack these, and what they are given here is not true of them: they are built again, as below.
alter table counted_orders
    add column status         text    not null default 'placed',
    add column capture_failed boolean not null default false,
    add column created_on     date    not null default '1970-01-01',
    add column activity_date  date    not null default '1970-01-01';
comment on table  counted_orders                is 'Orders: what a receipt does not say of its lines, and where the order is counted.';
comment on column counted_orders.provider       is 'Payment provider, the one that was paid through last.';
comment on column counted_orders.status         is 'Status of the order.';
comment on column counted_orders.capture_failed is 'Its money can not be collected, until that is decided.';
comment on column counted_orders.created_on     is 'Day in Norway on which it was placed.';
comment on column counted_orders.activity_date  is 'Earliest activity date of its lines.';

alter table counted_licenses
    add column category   text    not null default 'test',
    add column discipline text    not null default '',
    add column role       text    not null default 'driver',
    add column suspended  boolean not null default false,
    add column created_on date    not null default '1970-01-01';
comment on table  counted_licenses            is 'Licenses, as the activities and the days of the list count them.';
comment on column counted_licenses.category   is 'Category of its type, as sold.';
comment on column counted_licenses.discipline is 'Discipline of its type, as sold.';
comment on column counted_licenses.role       is 'What its holder does, as sold.';
comment on column counted_licenses.suspended  is 'It is suspended.';
comment on column counted_licenses.created_on is 'Day in Norway on which it was issued.';

-- A checkpoint of no epoch of the log makes the projector build the rows again beside these and swap them in; until then
-- answers say that they are stale. In a new schema there is no such table yet, and the one in `public` is of other rows.
do $$
begin
    if to_regclass(format('%I.checkpoints', current_schema())) is not null then
        execute format(
            'update %I.checkpoints set epoch = gen_random_uuid(), stale_since = now() where position > 0', current_schema());
    end if;
end
$$;
