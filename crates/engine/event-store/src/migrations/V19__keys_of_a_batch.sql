-- Data keys of a batch of commands are one row: a row and an index entry for each key were most of what sealing cost the
-- database. An event's keys are found by its position. The rows of person_keys stay unchanged: they open the events of
-- before, which seal each value by itself and name its key.
create table data_keys (
    after       bigint    primary key,
    events      integer[] not null,
    person_ids  uuid[]    not null,
    master_keys text[]    not null,
    wrapped     bytea[]   not null,
    check (cardinality(events) > 0 and cardinality(person_ids) = cardinality(events)
           and cardinality(master_keys) = cardinality(events) and cardinality(wrapped) = cardinality(events))
) with (toast_tuple_target = 8160);
-- Random bytes can't be compressed, and half a page of them is read faster from the row.
alter table data_keys
    alter column events set storage external,
    alter column person_ids set storage external,
    alter column master_keys set storage external,
    alter column wrapped set storage external;
comment on table data_keys is 'The data keys that personal data in events is sealed with, one row for each batch of commands. A destroyed key is an empty one of person 0.';
comment on column data_keys.after is 'The end of the log before the batch.';
comment on column data_keys.events is 'Of each key, its event: position minus after. The keys of an event stand together, in the order of their numbers.';
comment on column data_keys.person_ids is 'Whose data each key seals; the aggregate''s where no person is named.';
comment on column data_keys.master_keys is 'Which master key wraps each.';
comment on column data_keys.wrapped is 'Each key, encrypted by the master key.';
comment on table person_keys is 'Data keys of events that seal each value by itself, and where data in clear is. Nothing is added for new events.';

-- Where data of people is.
create view personal_data as
    select k.person_id, e.aggregate_type, e.aggregate_id, e.position
    from data_keys d
    cross join lateral unnest(d.events, d.person_ids) as k (event, person_id)
    -- One look for each key that is asked for: a join would read all events.
    cross join lateral (select e.aggregate_type, e.aggregate_id, e.position from events e where e.position = d.after + k.event offset 0) e
    union all
    select k.person_id, k.aggregate_type, k.aggregate_id, k.position from person_keys k;
comment on view personal_data is 'In which events, or up to which event of an aggregate, data of a person is. Without what was destroyed.';

-- Destroys the data keys of a person in these aggregates, and of what names no person there, up to a position. Returns how many
-- there were.
create function destroy_keys(person uuid, aggregates uuid[], through bigint) returns bigint
language plpgsql as $$
declare
    d         data_keys;
    gone      integer[];
    i         integer;
    destroyed bigint;
begin
    delete from person_keys k
    where k.aggregate_id = any (aggregates) and k.person_id in (person, k.aggregate_id) and k.position <= through;
    get diagnostics destroyed = row_count;
    -- With each row locked, a change of the master key can't bring back what goes here.
    for d in
        select * from data_keys k where k.after < through and k.person_ids && (person || aggregates) order by k.after for update
    loop
        select array_agg(k.n) into gone
        from unnest(d.events, d.person_ids) with ordinality as k (event, person_id, n)
        join events e on e.position = d.after + k.event
        where e.aggregate_id = any (aggregates) and k.person_id in (person, e.aggregate_id) and e.position <= through;
        continue when gone is null;
        foreach i in array gone loop
            d.person_ids[i] := '00000000-0000-0000-0000-000000000000';
            d.wrapped[i] := '';
        end loop;
        update data_keys k set person_ids = d.person_ids, wrapped = d.wrapped where k.after = d.after;
        destroyed := destroyed + cardinality(gone);
    end loop;
    return destroyed;
end
$$;

-- An instance of an older release seals in another way, and does not open what is sealed from here on: its function goes, and
-- it answers 503 until it is replaced.
drop function append_batch(text[], text[], bytea[], text[], integer[], integer[], text[], uuid[], bigint[], text[], text[], text[], text[],
    integer[], integer[], text[], text[], uuid[], integer[], integer[],
    integer[], text[], uuid[], uuid[], uuid[], text[], bytea[], bytea[]);
drop function append_batch_checked(text[], text[], bytea[], text[], integer[], text[], uuid[], bigint[], text[], text[], text[], text[],
    integer[], text[], text[], uuid[], integer[],
    integer[], text[], uuid[], uuid[], uuid[], text[], bytea[], bytea[]);

-- Appends a batch of commands: all their events, outcomes and claims, or for each refused command nothing.
--
-- The head is moved first: its lock orders everything, so that nothing that is looked up changes afterwards. Then one
-- look finds the used keys and one the taken claims of the whole batch; what is left is inserted. Only versions are
-- taken on trust and left to the unique index: when one is wrong, the batch goes through append_batch_checked.
--
-- c_* arrays: one element per command. c_last: how many events the batch has up to and with this command.
-- e_* arrays: one element per event. e_command: its command. e_sequence: the sequence that its sender expects it to get.
-- s_* arrays: one element per step of claims, releases before takes within a command; all null if there are none.
--   s_at_most: 0 to release, all that the holder holds if s_scope is null; else how many may hold it.
--   s_last: one per command, as c_last.
-- in_turn: the commands whose claims must be settled one after the other: all that share a key with another one, take
--   a counted claim or a key twice, and, if one releases all that a holder holds, all.
--
-- k_* arrays: one element per data key of personal data, each of one event and person, in the order of the events; all null if
--   there are none. k_event: its event in the batch, from 1.
--
-- c_former: one element per command, the hash as an older release made it for the same request; null if there was none.
--
-- Returns a row (0, 'all' | 'some' | 'checked', position before the batch, null, epoch), then one per refused command,
-- numbered from 1: 'duplicate' with position and stored response; 'reused', the key was used for another request;
-- 'taken', the response says which claims and who holds them; 'conflict', the response says which stream.
create function append_batch(
    c_scope text[], c_key text[], c_hash bytea[], c_response text[], c_last integer[],
    e_command integer[], e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[],
    e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[],
    s_last integer[], s_command integer[], s_scope text[], s_key text[], s_holder uuid[], s_at_most integer[],
    in_turn integer[],
    k_event integer[], k_person uuid[], k_master text[], k_wrapped bytea[],
    c_former bytea[]
) returns table (ordinal integer, outcome text, "position" bigint, response text, epoch uuid)
language plpgsql as $$
declare
    commands   integer := coalesce(array_length(c_key, 1), 0);
    added      bigint  := coalesce(array_length(e_sequence, 1), 0);
    base       bigint;
    at         timestamptz;
    r_n        integer[];
    r_outcome  text[];
    r_position bigint[];
    r_response text[];
    owned      integer[];
    t_command  integer[];
    t_taken    text[];
    dropped    integer[];
    gone       integer := 0;
    taken      text;
begin
    begin
        update log_head h set position = h.position + added
        returning h.position - added, h.epoch into strict base, epoch;
        at := clock_timestamp();

        if added = 1 and commands = 1 and s_last is null then
            -- A command that comes alone, as most do, without unnesting lists of one (decision 0001).
            insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
            values (base + 1, e_aggregate_type[1], e_aggregate_id[1], e_sequence[1], e_event_type[1], e_event_version[1],
                    e_payload[1], e_metadata[1], at);
            insert into commands (scope, idempotency_key, request_hash, response, position, recorded_at)
            values (c_scope[1], c_key[1], c_hash[1], c_response[1], base + 1, at);
        else
            -- Whether there is any is a question to the index alone; which ones they are is asked only then.
            if (commands > 1 or s_last is not null) and exists (
                select from unnest(c_scope, c_key) as c (scope, key)
                cross join lateral (select from commands k where k.scope = c.scope and k.idempotency_key = c.key offset 0) k
            ) then
                -- A key with an empty hash is of a release that kept none for process managers.
                select array_agg(c.n),
                       array_agg(case when u.request_hash in (c.hash, c.former, '') then 'duplicate' else 'reused' end),
                       array_agg(case when u.request_hash in (c.hash, c.former, '') then u.position end),
                       array_agg(case when u.request_hash in (c.hash, c.former, '') then u.response end)
                into r_n, r_outcome, r_position, r_response
                from unnest(c_scope, c_key, c_hash, c_former) with ordinality as c (scope, key, hash, former, n)
                cross join lateral (
                    select k.request_hash, k.position, k.response from commands k
                    where k.scope = c.scope and k.idempotency_key = c.key limit 1
                ) u;
            end if;

            if 0 < any (s_at_most) and exists (
                select from unnest(s_scope, s_key, s_at_most) as s (scope, key, at_most)
                cross join lateral (select from claims c where c.scope = s.scope and c.key = s.key offset 0) c
                where s.at_most > 0
            ) then
                select array_agg(s.n) filter (where c.mine),
                       array_agg(s.command) filter (where not c.mine),
                       array_agg(json_build_object('scope', s.scope, 'key', s.key, 'holders', c.who)::text) filter (where not c.mine)
                into owned, t_command, t_taken
                from unnest(s_command, s_scope, s_key, s_holder, s_at_most) with ordinality as s (command, scope, key, holder, at_most, n)
                cross join lateral (
                    select bool_or(c.holder = s.holder) as mine, array_agg(c.holder order by c.slot) as who
                    from claims c where c.scope = s.scope and c.key = s.key
                ) c
                where s.at_most > 0 and c.mine is not null
                  and (r_n is null or s.command <> all (r_n)) and (in_turn is null or s.command <> all (in_turn));
                if t_command is not null then
                    select r_n || array_agg(t.command), r_outcome || array_agg('taken'::text), r_position || array_agg(null::bigint),
                           r_response || array_agg('[' || t.taken || ']')
                    into r_n, r_outcome, r_position, r_response
                    from (
                        select t.command, string_agg(t.taken, ',') as taken
                        from unnest(t_command, t_taken) as t (command, taken) group by t.command
                    ) t;
                end if;
            end if;

            if r_n is not null or in_turn is not null then
                -- How many events of the batch are dropped up to and with each command.
                for i in 1 .. commands loop
                    if i = any (r_n) then
                        gone := gone + c_last[i] - coalesce(c_last[i - 1], 0);
                    elsif i = any (in_turn) then
                        taken := settle_claims(
                            s_scope[coalesce(s_last[i - 1], 0) + 1 : s_last[i]], s_key[coalesce(s_last[i - 1], 0) + 1 : s_last[i]],
                            s_holder[coalesce(s_last[i - 1], 0) + 1 : s_last[i]], s_at_most[coalesce(s_last[i - 1], 0) + 1 : s_last[i]],
                            base + c_last[i] - gone);
                        if taken is not null then
                            r_n := r_n || i;
                            r_outcome := r_outcome || 'taken'::text;
                            r_position := r_position || null::bigint;
                            r_response := r_response || taken;
                            gone := gone + c_last[i] - coalesce(c_last[i - 1], 0);
                        end if;
                    end if;
                    dropped[i] := gone;
                end loop;
                if gone > 0 then
                    update log_head h set position = h.position - gone;
                    added := added - gone;
                end if;
            end if;

            insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
            select base + e.n - coalesce(dropped[e.command], 0), e.aggregate_type, e.aggregate_id, e.sequence, e.event_type,
                   e.event_version, e.payload, e.metadata, at
            from unnest(e_command, e_aggregate_type, e_aggregate_id, e_sequence, e_event_type, e_event_version, e_payload, e_metadata)
                 with ordinality as e (command, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, n)
            where r_n is null or e.command <> all (r_n);

            insert into commands (scope, idempotency_key, request_hash, response, position, recorded_at)
            select c.scope, c.key, c.hash, c.response, base + c.last - coalesce(dropped[c.n], 0), at
            from unnest(c_scope, c_key, c_hash, c_response, c_last) with ordinality as c (scope, key, hash, response, last, n)
            where r_n is null or c.n <> all (r_n);

            if s_last is not null then
                if 0 = any (s_at_most) then
                    delete from claims c using unnest(s_command, s_scope, s_key, s_holder, s_at_most) as s (command, scope, key, holder, at_most)
                    where s.at_most = 0 and c.scope = s.scope and c.key = s.key and c.holder = s.holder
                      and (r_n is null or s.command <> all (r_n)) and (in_turn is null or s.command <> all (in_turn));
                end if;
                insert into claims (scope, key, slot, holder, position)
                select s.scope, s.key, 1, s.holder, base + c_last[s.command] - coalesce(dropped[s.command], 0)
                from unnest(s_command, s_scope, s_key, s_holder, s_at_most) with ordinality as s (command, scope, key, holder, at_most, n)
                where s.at_most > 0 and (owned is null or s.n <> all (owned))
                  and (r_n is null or s.command <> all (r_n)) and (in_turn is null or s.command <> all (in_turn));
            end if;
        end if;

        if k_event is not null and r_n is null then
            insert into data_keys (after, events, person_ids, master_keys, wrapped)
            values (base, k_event, k_person, k_master, k_wrapped);
        elsif k_event is not null then
            insert into data_keys (after, events, person_ids, master_keys, wrapped)
            select base, array_agg(k.event - coalesce(dropped[e_command[k.event]], 0) order by k.n),
                   array_agg(k.person order by k.n), array_agg(k.master order by k.n), array_agg(k.wrapped order by k.n)
            from unnest(k_event, k_person, k_master, k_wrapped) with ordinality as k (event, person, master, wrapped, n)
            where e_command[k.event] <> all (r_n)
            having count(*) > 0;
        end if;

        -- The unique index refuses a sequence that exists; this refuses one whose predecessor does not, or comes behind it.
        if 1 < any (e_sequence) and exists (
            select from unnest(e_command, e_aggregate_type, e_aggregate_id, e_sequence)
                 with ordinality as e (command, aggregate_type, aggregate_id, sequence, n)
            where e.sequence > 1 and (r_n is null or e.command <> all (r_n)) and not exists (
                select from events p
                where p.aggregate_type = e.aggregate_type and p.aggregate_id = e.aggregate_id and p.sequence = e.sequence - 1
                  and p.position < base + e.n - coalesce(dropped[e.command], 0))
        ) then
            raise unique_violation;
        end if;

        if added > 0 then
            perform pg_notify('log_appended', (base + added)::text);
        end if;

        ordinal := 0; outcome := case when r_n is null then 'all' else 'some' end; position := base; response := null;
        return next;
        for i in 1 .. coalesce(array_length(r_n, 1), 0) loop
            ordinal := r_n[i]; outcome := r_outcome[i]; position := r_position[i]; response := r_response[i];
            -- Who is refused a claim for what he read before it changed must read again.
            if outcome = 'taken' then
                taken := stale_stream(
                    e_aggregate_type[coalesce(c_last[r_n[i] - 1], 0) + 1 : c_last[r_n[i]]],
                    e_aggregate_id[coalesce(c_last[r_n[i] - 1], 0) + 1 : c_last[r_n[i]]],
                    e_sequence[coalesce(c_last[r_n[i] - 1], 0) + 1 : c_last[r_n[i]]]);
                if taken is not null then
                    outcome := 'conflict'; response := taken;
                end if;
            end if;
            return next;
        end loop;
        return;
    exception when unique_violation then
        -- Rolled back to before the head moved: nothing of the batch is left.
    end;

    return query select * from append_batch_checked(c_scope, c_key, c_hash, c_response, c_last,
        e_aggregate_type, e_aggregate_id, e_sequence, e_event_type, e_event_version, e_payload, e_metadata,
        s_last, s_scope, s_key, s_holder, s_at_most,
        k_event, k_person, k_master, k_wrapped, c_former);
end
$$;

-- The careful way, for a batch that holds a version conflict: takes the head lock, then decides every command before it
-- gets positions, so that a refused one leaves no gap. Arguments and answer as append_batch has them.
create function append_batch_checked(
    c_scope text[], c_key text[], c_hash bytea[], c_response text[], c_last integer[],
    e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[],
    e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[],
    s_last integer[], s_scope text[], s_key text[], s_holder uuid[], s_at_most integer[],
    k_event integer[], k_person uuid[], k_master text[], k_wrapped bytea[],
    c_former bytea[]
) returns table (ordinal integer, outcome text, "position" bigint, response text, epoch uuid)
language plpgsql as $$
declare
    head    bigint;
    started bigint;
    at      timestamptz;
    used    record;
    first_e integer;
    last_e  integer := 0;
    first_s integer;
    last_s  integer := 0;
begin
    select h.position, h.epoch into strict head, epoch from log_head h for update;
    started := head;
    at := clock_timestamp();
    ordinal := 0; outcome := 'checked'; position := head; response := null;
    return next;

    for i in 1 .. coalesce(array_length(c_key, 1), 0) loop
        first_e := last_e + 1;
        last_e := c_last[i];
        first_s := last_s + 1;
        last_s := coalesce(s_last[i], 0);
        ordinal := i; position := null; response := null;

        select c.request_hash, c.response, c.position into used
        from commands c where c.scope = c_scope[i] and c.idempotency_key = c_key[i];
        if found then
            if used.request_hash in (c_hash[i], c_former[i], '') then
                outcome := 'duplicate'; position := used.position; response := used.response;
            else
                outcome := 'reused';
            end if;
            return next;
            continue;
        end if;

        response := stale_stream(e_aggregate_type[first_e:last_e], e_aggregate_id[first_e:last_e], e_sequence[first_e:last_e]);
        if response is not null then
            outcome := 'conflict';
            return next;
            continue;
        end if;

        response := settle_claims(s_scope[first_s:last_s], s_key[first_s:last_s], s_holder[first_s:last_s],
                                  s_at_most[first_s:last_s], head + last_e - first_e + 1);
        if response is not null then
            outcome := 'taken';
            return next;
            continue;
        end if;

        insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
        select head + e.n, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
               e.payload, e.metadata, at
        from unnest(e_aggregate_type[first_e:last_e], e_aggregate_id[first_e:last_e], e_sequence[first_e:last_e],
                    e_event_type[first_e:last_e], e_event_version[first_e:last_e],
                    e_payload[first_e:last_e], e_metadata[first_e:last_e])
             with ordinality as e (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, n);

        insert into data_keys (after, events, person_ids, master_keys, wrapped)
        select head, array_agg(k.event - first_e + 1 order by k.n), array_agg(k.person order by k.n), array_agg(k.master order by k.n),
               array_agg(k.wrapped order by k.n)
        from unnest(k_event, k_person, k_master, k_wrapped) with ordinality as k (event, person, master, wrapped, n)
        where k.event between first_e and last_e
        having count(*) > 0;
        head := head + last_e - first_e + 1;

        insert into commands (scope, idempotency_key, request_hash, response, position, recorded_at)
        values (c_scope[i], c_key[i], c_hash[i], c_response[i], head, at);
    end loop;

    if head > started then
        update log_head h set position = head;
        perform pg_notify('log_appended', head::text);
    end if;
end
$$;
