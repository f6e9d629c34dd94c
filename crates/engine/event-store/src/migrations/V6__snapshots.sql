-- Snapshots: what an aggregate's events had made of it, so that not all of them are read every time. Never needed: a
-- missing, old or unusable one costs a longer load and nothing else.
create table snapshots (
    aggregate_type text        not null,
    aggregate_id   uuid        not null,
    sequence       bigint      not null check (sequence > 0),
    position       bigint      not null check (position > 0),
    epoch          uuid        not null,
    shape          text        not null,
    correlation_id text,
    state          text        not null,
    taken_at       timestamptz not null,
    primary key (aggregate_type, aggregate_id)
) with (fillfactor = 70);
comment on table snapshots is 'The newest snapshot of each aggregate that has one. May be emptied at any time.';
comment on column snapshots.aggregate_type is 'Kind of aggregate.';
comment on column snapshots.aggregate_id is 'The aggregate.';
comment on column snapshots.sequence is 'Sequence of the last event in it.';
comment on column snapshots.position is 'Position of that event: a snapshot whose event is not there is not used.';
comment on column snapshots.epoch is 'The log''s epoch: a snapshot of another one is not used.';
comment on column snapshots.shape is 'What made it, as the program says: one made by another is not used.';
comment on column snapshots.correlation_id is 'The conversation that the first event began or belongs to.';
comment on column snapshots.state is 'The aggregate as JSON. Holds personal data, as the events do.';
comment on column snapshots.taken_at is 'When it was written, by the database''s clock.';
