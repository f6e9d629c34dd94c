-- Readers keep copies of reports. A copy is of a version of the rows that it was made from. In a new schema the table is
-- created after this migration, with these columns.
do $$
begin
    if to_regclass(format('%I.checkpoints', current_schema())) is not null then
        alter table checkpoints
            add column if not exists tables_id uuid not null default gen_random_uuid(),
            add column if not exists versions jsonb not null default '{}';
        comment on column checkpoints.tables_id is 'Tells these tables from rebuilt ones.';
        comment on column checkpoints.versions  is 'Versions of collections that readers keep copies of: a new random id, written with every change of their rows. None before the first.';
    end if;
end
$$;
