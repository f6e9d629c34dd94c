-- What each race day sold and let in, and what was earned, kept by the projector as sums. No personal data.
grant usage on schema reports to query_api;
-- The table of the applied migrations is there already.
grant select on all tables in schema reports to query_api;
alter default privileges in schema reports grant select on tables to query_api;

create table sales (
    dimension     text   not null check (dimension in ('all', 'club', 'license_type', 'category', 'provider')),
    day           date   not null,
    value         text   not null,
    orders        bigint not null,
    licenses      bigint not null,
    receipts      bigint not null,
    credit_notes  bigint not null,
    gross_ore     bigint not null,
    refunded_ore  bigint not null,
    tax_ore       bigint not null,
    primary key (dimension, day, value)
);
comment on table  sales              is 'What was sold on a day in Norway, once for each way to group it. An order for two clubs is in the rows of both, so rows of one dimension do not add up to those of another.';
comment on column sales.dimension    is 'How the row groups: all, club, license_type, category or provider.';
comment on column sales.day          is 'Day in Norway: of the receipt or credit note for amounts and documents, of the order''s licenses for orders and licenses.';
comment on column sales.value        is 'Id of the club, code of the license type, category or provider; empty for all.';
comment on column sales.orders       is 'Paid orders that became licenses.';
comment on column sales.licenses     is 'Licenses of these orders.';
comment on column sales.receipts     is 'Receipts.';
comment on column sales.credit_notes is 'Credit notes.';
comment on column sales.gross_ore    is 'Sum of the lines of receipts, tax included, in øre.';
comment on column sales.refunded_ore is 'Sum of the lines of credit notes, tax included, in øre.';
comment on column sales.tax_ore      is 'Tax of the receipts less that of the credit notes, in øre.';

create table activities (
    activity_id   uuid   primary key,
    club_id       uuid   not null,
    activity_date date   not null,
    sold          bigint not null,
    complimentary bigint not null,
    checked_in    bigint not null,
    revoked       bigint not null,
    version       bigint not null,
    position      bigint not null
);
create index activities_by_date on activities (activity_date, activity_id);
create index activities_by_club on activities (club_id, activity_date, activity_id);
comment on table  activities               is 'A club and a date, with the licenses for it.';
comment on column activities.activity_id   is 'UUIDv5 of club and date.';
comment on column activities.club_id       is 'Club that runs the activity.';
comment on column activities.activity_date is 'First day of the licenses (local date).';
comment on column activities.sold          is 'Licenses that were sold and are not revoked.';
comment on column activities.complimentary is 'Licenses that staff gave and that are not revoked.';
comment on column activities.checked_in    is 'Licenses whose holder was let in, revoked later or not.';
comment on column activities.revoked       is 'Licenses that were revoked.';
comment on column activities.version       is 'How many events changed the row.';
comment on column activities.position      is 'Largest log position of these events.';

create table activity_license_types (
    activity_id   uuid   not null,
    license_type  text   not null,
    sold          bigint not null,
    complimentary bigint not null,
    checked_in    bigint not null,
    revoked       bigint not null,
    primary key (activity_id, license_type)
);
comment on table  activity_license_types               is 'The licenses of one type for an activity.';
comment on column activity_license_types.activity_id   is 'The activity.';
comment on column activity_license_types.license_type  is 'Code of the license type.';
comment on column activity_license_types.sold          is 'As in activities.';
comment on column activity_license_types.complimentary is 'As in activities.';
comment on column activity_license_types.checked_in    is 'As in activities.';
comment on column activity_license_types.revoked       is 'As in activities.';

-- What later events of an aggregate need to know of it. The positions keep an event from counting twice.
create table counted_orders (
    order_id uuid   primary key,
    provider text   not null,
    lines    jsonb  not null,
    position bigint not null
);
comment on table  counted_orders          is 'Orders as they were placed: what a receipt does not say of its lines.';
comment on column counted_orders.order_id is 'The order.';
comment on column counted_orders.provider is 'Payment provider.';
comment on column counted_orders.lines    is 'Array of {line, license_type, category, club_id}.';
comment on column counted_orders.position is 'Log position of the last event that was counted.';

create table counted_licenses (
    license_id    uuid    primary key,
    club_id       uuid    not null,
    activity_date date    not null,
    license_type  text    not null,
    complimentary boolean not null,
    checked_in    boolean not null,
    revoked       boolean not null,
    position      bigint  not null
);
comment on table  counted_licenses               is 'Licenses as the activities count them.';
comment on column counted_licenses.license_id    is 'The license.';
comment on column counted_licenses.club_id       is 'Club of its activity.';
comment on column counted_licenses.activity_date is 'Its first day.';
comment on column counted_licenses.license_type  is 'Code of its type.';
comment on column counted_licenses.complimentary is 'Staff gave it.';
comment on column counted_licenses.checked_in    is 'Its holder was let in.';
comment on column counted_licenses.revoked       is 'It was revoked.';
comment on column counted_licenses.position      is 'Log position of the last event that was counted.';

create table counted_series (
    series_id uuid   primary key,
    position  bigint not null
);
comment on table  counted_series           is 'How far each series of receipts is counted.';
comment on column counted_series.series_id is 'The series of one year.';
comment on column counted_series.position  is 'Log position of its last receipt that was counted.';

create table waiting_receipts (
    receipt_id uuid   primary key,
    order_id   uuid   not null,
    receipt    jsonb  not null
);
create index waiting_receipts_by_order on waiting_receipts (order_id);
comment on table  waiting_receipts            is 'Receipts whose order is parked: counted as soon as the order is. Else empty.';
comment on column waiting_receipts.receipt_id is 'The receipt.';
comment on column waiting_receipts.order_id   is 'Its order.';
comment on column waiting_receipts.receipt    is 'What is counted of it: {id, kind, day, provider, lines: [{line, gross_ore, tax_ore}]}.';
