-- Devices ask for what has changed since they asked last.
create index licenses_by_position on licenses (position, license_id);

-- What `q` searches is folded further, with a space before every word. Rows that exist are built again, as in V8.
update checkpoints set epoch = gen_random_uuid() where position > 0;

-- Which projector leads.
create table leases (
    name       text        primary key,
    holder     uuid        not null,
    expires_at timestamptz not null
);
comment on table  leases            is 'Which projector leads, and until when unless renewed.';
comment on column leases.name       is 'Name of the projection.';
comment on column leases.holder     is 'The instance, a new id per process.';
comment on column leases.expires_at is 'Whoever asks after that leads, by the database''s clock.';
