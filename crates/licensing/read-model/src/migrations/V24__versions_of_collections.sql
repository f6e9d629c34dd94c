-- Readers keep copies of answers. A copy is of a version of the rows that it was made from.
alter table checkpoints
    add column tables_id uuid not null default gen_random_uuid(),
    add column versions jsonb not null default '{}';
comment on column checkpoints.tables_id is 'Tells these tables from rebuilt ones.';
comment on column checkpoints.versions  is 'Versions of collections that readers keep copies of: a new random id, written with every change of their rows. None before the first.';
