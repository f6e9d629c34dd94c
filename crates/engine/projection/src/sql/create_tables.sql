-- schema::create: the tables of this crate, in the schema of the session, where they do not exist. No binds.
do $$
begin
    if to_regclass('checkpoints') is null then
        create table checkpoints (
            projection  text        primary key,
            position    bigint      not null check (position >= 0),
            epoch       uuid        not null,
            updated_at  timestamptz not null default now(),
            fingerprint bytea       check (octet_length(fingerprint) = 16),
            stale_since timestamptz,
            tables_id   uuid        not null default gen_random_uuid(),
            versions    jsonb       not null default '{}'
        );
        comment on table  checkpoints             is 'How far the projection has come. Moves in the transaction that writes the rows.';
        comment on column checkpoints.projection  is 'Name of the projection.';
        comment on column checkpoints.position    is 'Last position of the log whose event is in the rows; 0 before the first.';
        comment on column checkpoints.epoch       is 'Epoch of the log that the position belongs to.';
        comment on column checkpoints.updated_at  is 'When the checkpoint last moved.';
        comment on column checkpoints.fingerprint is 'Fingerprint of the event at the position; null at 0.';
        comment on column checkpoints.stale_since is 'Since when the rows are known to be of another log than there is now.';
        comment on column checkpoints.tables_id   is 'Tells these tables from rebuilt ones.';
        comment on column checkpoints.versions    is 'Versions of collections that readers keep copies of: a new random id, written with every change of their rows. None before the first.';
    end if;

    if to_regclass('log_heads') is null then
        create table log_heads (
            projection text        primary key,
            position   bigint      not null check (position >= 0),
            seen_at    timestamptz not null
        );
        comment on table  log_heads            is 'How far the log has come, for readers that can not see it. Written about once a second.';
        comment on column log_heads.projection is 'Name of the projection.';
        comment on column log_heads.position   is 'Last position of the log, read after seen_at.';
        comment on column log_heads.seen_at    is 'Clock of this database before the log was read.';
    end if;

    if to_regclass('leases') is null then
        create table leases (
            name       text        primary key,
            holder     uuid        not null,
            expires_at timestamptz not null
        );
        comment on table  leases            is 'Which projector leads, and until when unless renewed.';
        comment on column leases.name       is 'Name of the projection.';
        comment on column leases.holder     is 'The instance, a new id per process.';
        comment on column leases.expires_at is 'Whoever asks after that leads, by the database''s clock.';
    end if;

    if to_regclass('parked_events') is null then
        create table parked_events (
            projection     text        not null,
            aggregate_type text        not null,
            aggregate_id   uuid        not null,
            position       bigint      not null,
            event          text        not null,
            reason         text        not null,
            parked_at      timestamptz not null default now(),
            builds         text[]      not null default '{}',
            primary key (projection, position)
        );
        create index parked_events_by_aggregate on parked_events (projection, aggregate_type, aggregate_id, position);
        comment on table  parked_events                is 'Events that could not be applied, and the later events of the same aggregates.';
        comment on column parked_events.projection     is 'Name of the projection.';
        comment on column parked_events.aggregate_type is 'Kind of the aggregate.';
        comment on column parked_events.aggregate_id   is 'The aggregate.';
        comment on column parked_events.position       is 'Position of the event in the log.';
        comment on column parked_events.event          is 'The recorded event, JSON. Text, because jsonb refuses some JSON that the log holds.';
        comment on column parked_events.reason         is 'Why the event is parked, without data of the event.';
        comment on column parked_events.parked_at      is 'When the event was parked.';
        comment on column parked_events.builds         is 'Builds that could not apply the event.';
    end if;
end
$$
