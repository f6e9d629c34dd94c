-- commits::watch: the table that records session and transaction of each statement that writes to a watched table.
create table commits_seen (
    relation    text not null,
    application text not null,
    waits       text not null,
    transaction xid8 not null
);
create function see_commit() returns trigger language plpgsql as $$
begin
    insert into public.commits_seen values
        (tg_table_name, current_setting('application_name'), current_setting('synchronous_commit'), pg_current_xact_id());
    return null;
end
$$;
