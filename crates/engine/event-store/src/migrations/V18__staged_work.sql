-- Work that was received and is not done yet, for example the items of a batch: in chunks, each deleted when it is done.
create table staged_chunks (
    work_id   uuid        not null,
    first     integer     not null,
    content   bytea       not null,
    staged_at timestamptz not null default clock_timestamp(),
    primary key (work_id, first)
);
comment on table  staged_chunks           is 'Work that was received and is not done yet, in chunks; a chunk is deleted when it is done.';
comment on column staged_chunks.work_id   is 'The work, for example a batch.';
comment on column staged_chunks.first     is 'Number of its first item, from 1.';
comment on column staged_chunks.content   is 'Its items, sealed: they may hold personal data.';
comment on column staged_chunks.staged_at is 'When it was received.';
