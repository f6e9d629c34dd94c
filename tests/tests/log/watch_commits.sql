-- commits::watch. From here on each statement that writes to a table leaves a note of its session and transaction.
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
do $$
declare relation regclass;
begin
    for relation in
        select oid from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'commits_seen'
    loop
        execute format('create trigger see_commit after insert or update or delete on %s
                        for each statement execute function see_commit()', relation);
    end loop;
end
$$;
