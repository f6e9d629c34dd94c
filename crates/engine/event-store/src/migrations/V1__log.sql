-- The log: contiguous positions in commit order, the events, and the stored outcome of every command.

create table log_head (
    id       boolean primary key default true check (id),
    position bigint not null check (position >= 0),
    epoch    uuid   not null
) with (fillfactor = 10);
comment on table log_head is 'One row. Its lock orders all appends; it is taken once per batch and never held across a client round trip.';
comment on column log_head.position is 'Position of the last event; 0 before the first.';
comment on column log_head.epoch is 'Identity of this history: a new one whenever the log is restored to an earlier point.';
insert into log_head (position, epoch) values (0, gen_random_uuid());

create table events (
    position       bigint      primary key check (position > 0),
    aggregate_type text        not null,
    aggregate_id   uuid        not null,
    sequence       bigint      not null check (sequence > 0),
    event_type     text        not null,
    event_version  text        not null,
    payload        jsonb       not null,
    metadata       jsonb       not null,
    recorded_at    timestamptz not null,
    unique (aggregate_type, aggregate_id, sequence)
);
comment on table events is 'What happened. Rows are only ever added.';
comment on column events.position is 'Place in the log: 1, 2, 3 … without a gap, in commit order.';
comment on column events.aggregate_type is 'Kind of aggregate.';
comment on column events.aggregate_id is 'The aggregate.';
comment on column events.sequence is 'Place among the aggregate''s events: 1, 2, 3 … without a gap.';
comment on column events.event_type is 'What happened.';
comment on column events.event_version is 'Version of the payload''s shape.';
comment on column events.payload is 'The facts.';
comment on column events.metadata is 'Who and what led to it: ids only, no personal data.';
comment on column events.recorded_at is 'When the log took it, by the database''s clock.';

create table commands (
    scope           text        not null,
    idempotency_key text        not null,
    request_hash    bytea       not null,
    response        text        not null,
    position        bigint      not null,
    recorded_at     timestamptz not null,
    primary key (scope, idempotency_key)
);
comment on table commands is 'The outcome of every accepted command, committed with its events: same key, same answer.';
comment on column commands.scope is 'Whose keys: a user and an operation, or a process manager.';
comment on column commands.idempotency_key is 'The caller''s key.';
comment on column commands.request_hash is 'SHA-256 of the request: the same key with another request is refused.';
comment on column commands.response is 'The answer, a JSON object without its position.';
comment on column commands.position is 'The answer''s position: the command''s last event, or the head if it had none.';
comment on column commands.recorded_at is 'When it was accepted.';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only: % on % refused', tg_op, tg_table_name using errcode = 'restrict_violation';
end
$$;
create trigger events_are_final before update or delete or truncate on events
    for each statement execute function refuse_change();
