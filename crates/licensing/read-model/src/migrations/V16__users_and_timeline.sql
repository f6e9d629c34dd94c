-- Users, and what happened to each order.

create table users (
    user_id             uuid        primary key,
    name                text,
    email               text,
    phone               text,
    language            text,
    roles               text[],
    club_ids            uuid[]      not null,
    sessions_revoked_at timestamptz,
    search              text        not null default '',
    created_at          timestamptz not null,
    updated_at          timestamptz not null,
    version             bigint      not null,
    position            bigint      not null
);
create index users_by_created on users (created_at, user_id);
create index users_by_role    on users using gin (roles);
create index users_by_search  on users using gin (search gin_trgm_ops);
comment on table  users                     is 'Users of whom the log knows something. One row per user.';
comment on column users.user_id             is 'Id of the user; aggregate id of its events.';
comment on column users.name                is 'Full name; personal data.';
comment on column users.email               is 'E-mail address; personal data.';
comment on column users.phone               is 'Phone; personal data.';
comment on column users.language            is 'Language of letters, nb or en.';
comment on column users.roles               is 'Roles that an administrator has given; null while those of tokens count.';
comment on column users.club_ids            is 'Clubs that an organizer acts for.';
comment on column users.sessions_revoked_at is 'Tokens from before this moment are not accepted; null if none was revoked.';
comment on column users.search              is 'What q searches; personal data.';
comment on column users.created_at          is 'When the first event of the user was recorded.';
comment on column users.updated_at          is 'When the last event of the user was recorded.';
comment on column users.version             is 'Sequence of the last applied event of the user.';
comment on column users.position            is 'Log position of the last event that changed the row.';

create table order_timeline (
    entry_id   uuid        primary key,
    order_id   uuid        not null,
    license_id uuid,
    event_type text        not null,
    actor      text,
    actor_role text,
    request_id text,
    facts      jsonb       not null,
    at         timestamptz not null,
    version    bigint      not null,
    position   bigint      not null
);
create index order_timeline_by_order on order_timeline (order_id, position, entry_id);
comment on table  order_timeline            is 'What happened to orders and their licenses: one row per event.';
comment on column order_timeline.entry_id   is 'The position of the event as a uuid.';
comment on column order_timeline.order_id   is 'The order.';
comment on column order_timeline.license_id is 'The license, for an event of a license.';
comment on column order_timeline.event_type is 'What happened, for example OrderPaid.';
comment on column order_timeline.actor      is 'Id of the user who did it, or process:<name>.';
comment on column order_timeline.actor_role is 'The role in which the user did it.';
comment on column order_timeline.request_id is 'The request that led to it.';
comment on column order_timeline.facts      is 'What the event says, without personal data.';
comment on column order_timeline.at         is 'When the log recorded it.';
comment on column order_timeline.version    is 'Sequence of the event in its aggregate.';
comment on column order_timeline.position   is 'Position of the event in the log.';

-- Rows that exist have no timeline: they are built again.
update checkpoints set epoch = gen_random_uuid() where projection = 'licensing' and position > 0;
