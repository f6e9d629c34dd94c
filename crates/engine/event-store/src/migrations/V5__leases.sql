-- Who leads. A lease that runs out, and not a session's lock: a leader that was paused keeps its session.
create table leases (
    name       text        primary key,
    holder     uuid        not null,
    expires_at timestamptz not null
);
comment on table leases is 'Who leads what, and until when unless renewed.';
comment on column leases.name is 'What is led.';
comment on column leases.holder is 'The instance, a new id per process.';
comment on column leases.expires_at is 'Whoever asks after that leads, by the database''s clock.';
