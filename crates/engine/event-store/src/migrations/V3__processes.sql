-- What process managers remember: how far they have read, and what they still have to do. Beside the log, so that
-- neither a wiped bus nor a restored database makes them forget or repeat.

create table process_checkpoints (
    process    text        primary key,
    position   bigint      not null check (position >= 0),
    updated_at timestamptz not null
);
comment on table process_checkpoints is 'How far each process manager has read the log.';
comment on column process_checkpoints.process is 'The process manager.';
comment on column process_checkpoints.position is 'Position of the last event it has planned for.';
comment on column process_checkpoints.updated_at is 'When it last moved.';

create table process_tasks (
    process        text        not null,
    aggregate_id   uuid        not null,
    kind           text        not null,
    due_at         timestamptz not null,
    position       bigint      not null,
    request_id     text,
    correlation_id text,
    attempts       integer     not null default 0,
    leased_until   timestamptz,
    last_error     text,
    primary key (process, aggregate_id, kind)
);
create index process_tasks_due on process_tasks (process, kind, due_at);
comment on table process_tasks is 'What is still to be done: one row per aggregate and kind, gone when done.';
comment on column process_tasks.process is 'The process manager.';
comment on column process_tasks.aggregate_id is 'The aggregate it is about.';
comment on column process_tasks.kind is 'What to do.';
comment on column process_tasks.due_at is 'Not before.';
comment on column process_tasks.position is 'The event that led to it.';
comment on column process_tasks.request_id is 'The request that led to that event.';
comment on column process_tasks.correlation_id is 'What started the whole conversation.';
comment on column process_tasks.attempts is 'How often it was taken since it last made progress.';
comment on column process_tasks.leased_until is 'Taken by a worker until then; after that anyone may take it again.';
comment on column process_tasks.last_error is 'Why the last attempt failed; no personal data.';
