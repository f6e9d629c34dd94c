-- limit::table and pgbench: a table of the shape and with the indexes of the log's events, and nothing else.
create table events (
    position       bigint      primary key,
    aggregate_type text        not null,
    aggregate_id   uuid        not null,
    sequence       bigint      not null,
    event_type     text        not null,
    event_version  text        not null,
    payload        text       not null,
    metadata       text       not null,
    recorded_at    timestamptz not null,
    unique (aggregate_type, aggregate_id, sequence)
);
create sequence positions start 1000000000000;
