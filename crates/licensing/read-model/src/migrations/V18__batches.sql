-- Batches, and what became of each of their items. Rows that exist have no such events: none came before.
create table batches (
    batch_id     uuid        primary key,
    kind         text        not null,
    dry_run      boolean     not null,
    status       text        not null,
    total        bigint      not null,
    succeeded    bigint      not null,
    failed       bigint      not null,
    submitted_by text,
    submitted_at timestamptz not null,
    finished_at  timestamptz,
    version      bigint      not null,
    position     bigint      not null
);
create index batches_by_submitted on batches (submitted_at, batch_id);
comment on table  batches              is 'Batches: many commands of one kind. One row per batch.';
comment on column batches.batch_id     is 'Aggregate id of the batch.';
comment on column batches.kind         is 'What the items are.';
comment on column batches.dry_run      is 'Whether the items are only judged.';
comment on column batches.status       is 'running or done.';
comment on column batches.total        is 'Number of items.';
comment on column batches.succeeded    is 'Number of items that are done.';
comment on column batches.failed       is 'Number of items that were refused.';
comment on column batches.submitted_by is 'Id of the user who submitted it, or process:<name>.';
comment on column batches.submitted_at is 'When all items were received.';
comment on column batches.finished_at  is 'When the last item was done or refused; null while it runs.';
comment on column batches.version      is 'Sequence of the last applied event of the batch.';
comment on column batches.position     is 'Log position of the last event that changed the row.';

create table batch_items (
    item_id  uuid   primary key,
    batch_id uuid   not null,
    n        bigint not null,
    outcome  text   not null,
    target   text,
    code     text,
    fields   jsonb  not null,
    version  bigint not null,
    position bigint not null
);
create index batch_items_by_number on batch_items (batch_id, n, item_id);
comment on table  batch_items          is 'What became of the items of batches. One row per item that is done or was refused; a row never changes.';
comment on column batch_items.item_id  is 'Follows from position and n.';
comment on column batch_items.batch_id is 'The batch.';
comment on column batch_items.n        is 'Number of the item in its batch, from 1.';
comment on column batch_items.outcome  is 'succeeded or failed.';
comment on column batch_items.target   is 'Id or code of what the item is about.';
comment on column batch_items.code     is 'Code of the problem of a refused item.';
comment on column batch_items.fields   is 'Which fields of a refused item are wrong.';
comment on column batch_items.version  is 'Sequence of the event in its batch.';
comment on column batch_items.position is 'Log position of that event.';
