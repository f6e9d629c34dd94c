-- The tables of the projection `licensing`. They are derived: dropping them and replaying the log gives them back.
-- Writer: projector (owner of this database). Reader: query-api (select only).

-- Trusted since PostgreSQL 13, so the owner of the database may create it.
create extension if not exists pg_trgm;

create table checkpoints (
    projection text        primary key,
    position   bigint      not null check (position >= 0),
    epoch      uuid        not null,
    updated_at timestamptz not null default now()
);
comment on table  checkpoints            is 'How far each projection has come; moves in the same transaction as its rows.';
comment on column checkpoints.projection is 'Name of the projection, for example licensing.';
comment on column checkpoints.position   is 'Last position of the log whose event is in the rows; 0 before the first.';
comment on column checkpoints.epoch      is 'Epoch of the log the position belongs to; another epoch there means rebuild.';
comment on column checkpoints.updated_at is 'When the checkpoint last moved.';

create table parked_events (
    projection     text        not null,
    aggregate_type text        not null,
    aggregate_id   uuid        not null,
    position       bigint      not null,
    event          jsonb       not null,
    reason         text        not null,
    parked_at      timestamptz not null default now(),
    primary key (projection, position)
);
create index parked_events_by_aggregate on parked_events (projection, aggregate_type, aggregate_id, position);
comment on table  parked_events                is 'Events that could not be applied, and the later ones of the same aggregate queued behind them.';
comment on column parked_events.projection     is 'Projection that could not apply the event.';
comment on column parked_events.aggregate_type is 'Aggregate type of the event, for example order.';
comment on column parked_events.aggregate_id   is 'Aggregate that waits: all its later events are parked too.';
comment on column parked_events.position       is 'Position of the event in the log.';
comment on column parked_events.event          is 'The recorded event as it travelled.';
comment on column parked_events.reason         is 'Why it waits: an error class and message without row data, or that an earlier event waits.';
comment on column parked_events.parked_at      is 'When it was parked.';

create table orders (
    order_id          uuid        primary key,
    order_number      text        not null,
    customer_id       uuid        not null,
    status            text        not null,
    total_ore         bigint      not null,
    currency          text        not null default 'NOK',
    payment_provider  text        not null,
    payment_reference text,
    redirect_url      text,
    lines             jsonb       not null,
    club_ids          uuid[]      not null,
    license_types     text[]      not null,
    activity_from     date        not null,
    activity_to       date        not null,
    search            text        not null default '',
    paid_at           timestamptz,
    fulfilled_at      timestamptz,
    expires_at        timestamptz,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    version           bigint      not null,
    position          bigint      not null
);
-- Every sort is a keyset: the sort key, then the id. Read backwards it serves the descending order too.
create index orders_by_created      on orders (created_at, order_id);
create index orders_by_total        on orders (total_ore, order_id);
create index orders_by_activity     on orders (activity_from, order_id);
create index orders_by_last_day     on orders (activity_to);
create index orders_by_customer     on orders (customer_id, created_at, order_id);
create index orders_by_status       on orders (status, created_at, order_id);
create index orders_by_provider     on orders (payment_provider, created_at, order_id);
create index orders_by_club         on orders using gin (club_ids);
create index orders_by_license_type on orders using gin (license_types);
create index orders_by_search       on orders using gin (lower(search collate "nb-x-icu") gin_trgm_ops);
comment on table  orders                   is 'One row per order, with its lines.';
comment on column orders.order_id          is 'Aggregate id of the order.';
comment on column orders.order_number      is 'Number a person can read aloud.';
comment on column orders.customer_id       is 'User who placed the order.';
comment on column orders.status            is 'placed, payment_pending, paid, fulfilled, cancelled, expired, refund_pending or refunded.';
comment on column orders.total_ore         is 'Sum of the lines in øre, at the prices of the moment of ordering.';
comment on column orders.currency          is 'ISO 4217 code, NOK.';
comment on column orders.payment_provider  is 'Payment provider chosen by the customer, for example vipps.';
comment on column orders.payment_reference is 'Our reference at the provider; null before the payment is created.';
comment on column orders.redirect_url      is 'Where the customer pays; null before the payment is created.';
comment on column orders.lines             is 'Array of {line, license_type, name_nb, name_en, category, discipline, role, club_id, club_name, activity_date, activity_days, price_ore, holder:{name, birth_date, phone, email, guardian}, vehicle, license_id}; personal data.';
comment on column orders.club_ids          is 'Distinct clubs of the lines; decides what an organizer may see.';
comment on column orders.license_types     is 'Distinct license type codes of the lines.';
comment on column orders.activity_from     is 'Earliest activity date of the lines (local date).';
comment on column orders.activity_to       is 'Last day of the last activity of the lines, activity_days counted (local date).';
comment on column orders.search            is 'What q searches, in any case, separated by spaces: order number, holder names, e-mails, phones, vehicles; personal data.';
comment on column orders.paid_at           is 'When the payment was confirmed.';
comment on column orders.fulfilled_at      is 'When the last license was issued.';
comment on column orders.expires_at        is 'When an unpaid order gives up.';
comment on column orders.created_at        is 'When the order was placed.';
comment on column orders.updated_at        is 'When the last event of the order was recorded.';
comment on column orders.version           is 'Sequence of the last applied event of the aggregate.';
comment on column orders.position          is 'Log position of the last event that changed the row.';

create table licenses (
    license_id        uuid        primary key,
    order_id          uuid        not null,
    order_number      text,
    line              integer     not null,
    customer_id       uuid        not null,
    status            text        not null,
    license_type      text        not null,
    category          text        not null,
    discipline        text        not null,
    role              text        not null,
    name_nb           text        not null,
    name_en           text        not null,
    club_id           uuid        not null,
    club_name         text        not null,
    activity_date     date        not null,
    activity_days     integer     not null default 1 check (activity_days between 1 and 31),
    holder_name       text        not null,
    holder_birth_date date        not null,
    holder_phone      text,
    holder_email      text,
    guardian          jsonb,
    vehicle           jsonb,
    price_ore         bigint      not null,
    search            text        not null default '',
    issued_at         timestamptz not null,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    version           bigint      not null,
    position          bigint      not null
);
create index licenses_by_created      on licenses (created_at, license_id);
create index licenses_by_activity     on licenses (activity_date, license_id);
create index licenses_by_order        on licenses (order_id, line);
create index licenses_by_customer     on licenses (customer_id, created_at, license_id);
create index licenses_by_club         on licenses (club_id, activity_date, license_id);
create index licenses_by_status       on licenses (status, created_at, license_id);
create index licenses_by_license_type on licenses (license_type, created_at, license_id);
create index licenses_by_category     on licenses (category, created_at, license_id);
create index licenses_by_discipline   on licenses (discipline, created_at, license_id);
create index licenses_by_role         on licenses (role, created_at, license_id);
create index licenses_by_search       on licenses using gin (lower(search collate "nb-x-icu") gin_trgm_ops);
comment on table  licenses                   is 'One row per issued license.';
comment on column licenses.license_id        is 'Aggregate id of the license.';
comment on column licenses.order_id          is 'Order that paid for it.';
comment on column licenses.order_number      is 'Number of that order, when known.';
comment on column licenses.line              is 'Line of that order.';
comment on column licenses.customer_id       is 'User who placed that order.';
comment on column licenses.status            is 'issued, checked_in, revoked or suspended; expiry by date is derived, not stored.';
comment on column licenses.license_type      is 'Code of the license type.';
comment on column licenses.category          is 'Category of the license type.';
comment on column licenses.discipline        is 'Discipline of the license type.';
comment on column licenses.role              is 'driver, codriver, companion or passenger.';
comment on column licenses.name_nb           is 'Name of the license type in Norwegian, as sold.';
comment on column licenses.name_en           is 'Name of the license type in English, as sold.';
comment on column licenses.club_id           is 'Club that runs the activity.';
comment on column licenses.club_name         is 'Name of that club, as sold.';
comment on column licenses.activity_date     is 'First day it is valid (local date in Europe/Oslo).';
comment on column licenses.activity_days     is 'Number of consecutive days it is valid.';
comment on column licenses.holder_name       is 'Full name of the holder; personal data.';
comment on column licenses.holder_birth_date is 'Birth date of the holder; personal data.';
comment on column licenses.holder_phone      is 'Phone of the holder; personal data.';
comment on column licenses.holder_email      is 'E-mail of the holder; personal data.';
comment on column licenses.guardian          is 'Guardian of a minor: {name, phone, consent}; personal data.';
comment on column licenses.vehicle           is 'Vehicle of a driver; personal data.';
comment on column licenses.price_ore         is 'Price paid in øre.';
comment on column licenses.search            is 'What q searches, in any case, separated by spaces: order number, holder name, e-mail, phone, vehicle; personal data.';
comment on column licenses.issued_at         is 'When it was issued.';
comment on column licenses.created_at        is 'When the first event of the license was recorded.';
comment on column licenses.updated_at        is 'When the last event of the license was recorded.';
comment on column licenses.version           is 'Sequence of the last applied event of the aggregate.';
comment on column licenses.position          is 'Log position of the last event that changed the row.';

-- The catalogue is tens of rows and the clubs are hundreds: only the sorts have indexes.
create table license_types (
    license_type_id uuid        primary key,
    code            text        not null unique,
    category        text        not null,
    discipline      text        not null,
    role            text        not null,
    name_nb         text        not null,
    name_en         text        not null,
    prices          jsonb       not null default '[]',
    min_age         integer,
    max_age         integer,
    max_days        integer     not null default 1,
    status          text        not null default 'active',
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    version         bigint      not null,
    position        bigint      not null
);
create index license_types_by_name on license_types (name_nb collate "nb-x-icu", license_type_id);
comment on table  license_types                 is 'The catalogue.';
comment on column license_types.license_type_id is 'Aggregate id of the license type.';
comment on column license_types.code            is 'Stable code used by orders.';
comment on column license_types.category        is 'Category, for example competition.';
comment on column license_types.discipline      is 'Discipline, for example bilcross.';
comment on column license_types.role            is 'driver, codriver, companion or passenger.';
comment on column license_types.name_nb         is 'Name in Norwegian (bokmål).';
comment on column license_types.name_en         is 'Name in English.';
comment on column license_types.prices          is 'Effective-dated prices in the order they were set: [{price_ore, valid_from}], valid_from an RFC 3339 timestamp; the price now is the one with the latest valid_from that has come, and the later entry of a tie.';
comment on column license_types.min_age         is 'Youngest age in years on the activity date, null for none.';
comment on column license_types.max_age         is 'Oldest age in years on the activity date, null for none.';
comment on column license_types.max_days        is 'Most consecutive days one license may span.';
comment on column license_types.status          is 'active or retired.';
comment on column license_types.created_at      is 'When the type was added.';
comment on column license_types.updated_at      is 'When the last event of the type was recorded.';
comment on column license_types.version         is 'Sequence of the last applied event of the aggregate.';
comment on column license_types.position        is 'Log position of the last event that changed the row.';

create table clubs (
    club_id    uuid        primary key,
    name       text        not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version    bigint      not null,
    position   bigint      not null
);
create index clubs_by_name on clubs (name collate "nb-x-icu", club_id);
comment on table  clubs            is 'Affiliated clubs.';
comment on column clubs.club_id    is 'Aggregate id of the club.';
comment on column clubs.name       is 'Name of the club.';
comment on column clubs.created_at is 'When the club was added.';
comment on column clubs.updated_at is 'When the last event of the club was recorded.';
comment on column clubs.version    is 'Sequence of the last applied event of the aggregate.';
comment on column clubs.position   is 'Log position of the last event that changed the row.';
