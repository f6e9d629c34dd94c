-- Personal data in events is sealed with data keys. A command brings fresh ones, one for each aggregate and person in it, in
-- the statement that records its events. Data keys are wrapped by a master key, which is outside the database. To erase a
-- person, their data keys are deleted: nothing opens the data again, wherever copies of the log are.
create table person_keys (
    aggregate_id   uuid             not null,
    key_id         uuid             not null,
    person_id      uuid             not null,
    aggregate_type text collate "C" not null,
    position       bigint           not null,
    master_key     text collate "C" not null,
    wrapped        bytea            not null,
    primary key (aggregate_id, key_id)
);
-- No index by person: it would cost every append a random page, for a rare search that reads the whole table.
comment on table person_keys is 'The data keys that personal data in events is sealed with; deleted to erase a person.';
comment on column person_keys.aggregate_id is 'The aggregate whose events hold the data.';
comment on column person_keys.key_id is 'Names the key in the payloads.';
comment on column person_keys.person_id is 'Whose data it is; the aggregate where no person is named.';
comment on column person_keys.aggregate_type is 'Kind of the aggregate.';
comment on column person_keys.position is 'Position of the command that brought the key.';
comment on column person_keys.master_key is 'Which master key wraps it.';
comment on column person_keys.wrapped is 'The key, encrypted by the master key.';

-- Secrets of this log itself, one of each name, wrapped as data keys are.
create table log_secrets (
    name       text collate "C" primary key,
    master_key text collate "C" not null,
    wrapped    bytea            not null
);
comment on table log_secrets is 'Secrets of this log, for example the key of the request hashes; wrapped by a master key.';
comment on column log_secrets.name is 'What it is for.';
comment on column log_secrets.master_key is 'Which master key wraps it.';
comment on column log_secrets.wrapped is 'The secret, encrypted by the master key.';

-- A snapshot of a state with personal data would keep in clear what its events seal.
delete from snapshots;

-- An instance of an older release would write personal data in clear: its function goes, and it answers 503 from here on
-- until it is replaced.
drop function append_batch(text[], text[], bytea[], text[], integer[], integer[], text[], uuid[], bigint[], text[], text[], text[], text[],
    integer[], integer[], text[], text[], uuid[], integer[], integer[]);
drop function append_batch_checked(text[], text[], bytea[], text[], integer[], text[], uuid[], bigint[], text[], text[], text[], text[],
    integer[], text[], text[], uuid[], integer[]);

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
-- k_* arrays: one element per data key of personal data, each of one command, aggregate and person; all null if there are none.
--   Every key is fresh, so it meets no other one.
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
    k_command integer[], k_aggregate_type text[], k_aggregate_id uuid[], k_id uuid[], k_person uuid[], k_master text[], k_wrapped bytea[],
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

        if k_command is not null then
            insert into person_keys (aggregate_id, key_id, person_id, aggregate_type, position, master_key, wrapped)
            select k.aggregate_id, k.id, k.person, k.aggregate_type, base + c_last[k.command] - coalesce(dropped[k.command], 0), k.master, k.wrapped
            from unnest(k_command, k_aggregate_type, k_aggregate_id, k_id, k_person, k_master, k_wrapped)
                 as k (command, aggregate_type, aggregate_id, id, person, master, wrapped)
            where r_n is null or k.command <> all (r_n);
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
        k_command, k_aggregate_type, k_aggregate_id, k_id, k_person, k_master, k_wrapped, c_former);
end
$$;

-- The careful way, for a batch that holds a version conflict: takes the head lock, then decides every command before it
-- gets positions, so that a refused one leaves no gap. Arguments and answer as append_batch has them.
create function append_batch_checked(
    c_scope text[], c_key text[], c_hash bytea[], c_response text[], c_last integer[],
    e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[],
    e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[],
    s_last integer[], s_scope text[], s_key text[], s_holder uuid[], s_at_most integer[],
    k_command integer[], k_aggregate_type text[], k_aggregate_id uuid[], k_id uuid[], k_person uuid[], k_master text[], k_wrapped bytea[],
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
        head := head + last_e - first_e + 1;

        insert into commands (scope, idempotency_key, request_hash, response, position, recorded_at)
        values (c_scope[i], c_key[i], c_hash[i], c_response[i], head, at);

        insert into person_keys (aggregate_id, key_id, person_id, aggregate_type, position, master_key, wrapped)
        select k.aggregate_id, k.id, k.person, k.aggregate_type, head, k.master, k.wrapped
        from unnest(k_command, k_aggregate_type, k_aggregate_id, k_id, k_person, k_master, k_wrapped)
             as k (command, aggregate_type, aggregate_id, id, person, master, wrapped)
        where k.command = i;
    end loop;

    if head > started then
        update log_head h set position = head;
        perform pg_notify('log_appended', head::text);
    end if;
end
$$;
