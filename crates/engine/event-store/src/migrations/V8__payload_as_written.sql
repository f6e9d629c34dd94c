-- The log keeps the JSON that it was given, byte for byte. Parsed into jsonb it had to be printed again for every reader,
-- which was most of what loading an aggregate cost; nothing in the database looks inside. The writer hands over JSON
-- only, by its type, and none that a reader could not take (decision 0013). What was printed for the old type stays, so
-- that seals hold. Both functions are those of V2 without the casts.
alter table events
    alter column payload type text using payload::text,
    alter column metadata type text using metadata::text;
comment on column events.payload is 'The facts: JSON. For a look inside: payload::jsonb.';
comment on column events.metadata is 'Who and what led to it: JSON; ids only, no personal data.';

create or replace function append_batch(
    c_scope text[], c_key text[], c_hash bytea[], c_response text[], c_events integer[],
    e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[],
    e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[]
) returns table (ordinal integer, outcome text, "position" bigint, response text)
language plpgsql as $$
declare
    added bigint := coalesce(array_length(e_sequence, 1), 0);
    base  bigint;
    at    timestamptz;
begin
    begin
        update log_head h set position = h.position + added returning h.position - added into strict base;
        at := clock_timestamp();

        insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
        select base + e.n, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version,
               e.payload, e.metadata, at
        from unnest(e_aggregate_type, e_aggregate_id, e_sequence, e_event_type, e_event_version, e_payload, e_metadata)
             with ordinality as e (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, n);

        insert into commands (scope, idempotency_key, request_hash, response, position, recorded_at)
        select c.scope, c.key, c.hash, c.response, base + sum(c.events) over (order by c.n), at
        from unnest(c_scope, c_key, c_hash, c_response, c_events) with ordinality as c (scope, key, hash, response, events, n);

        -- The unique index refuses a sequence that exists; this refuses one whose predecessor does not.
        if exists (
            select from unnest(e_aggregate_type, e_aggregate_id, e_sequence) as e (aggregate_type, aggregate_id, sequence)
            where e.sequence > 1 and not exists (
                select from events p
                where p.aggregate_type = e.aggregate_type and p.aggregate_id = e.aggregate_id and p.sequence = e.sequence - 1)
        ) then
            raise unique_violation;
        end if;

        perform pg_notify('log_appended', (base + added)::text);
        return query select 0, 'all', base, null::text;
        return;
    exception when unique_violation then
        -- Rolled back to before the head moved: nothing of the batch is left.
    end;

    return query select * from append_batch_checked(c_scope, c_key, c_hash, c_response, c_events,
        e_aggregate_type, e_aggregate_id, e_sequence, e_event_type, e_event_version, e_payload, e_metadata);
end
$$;

-- The careful way, for a batch that holds a version conflict or a used key: takes the head lock, then decides every
-- command before it gets positions, so that a refused one leaves no gap.
create or replace function append_batch_checked(
    c_scope text[], c_key text[], c_hash bytea[], c_response text[], c_events integer[],
    e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[],
    e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[]
) returns table (ordinal integer, outcome text, "position" bigint, response text)
language plpgsql as $$
declare
    head    bigint;
    started bigint;
    at      timestamptz;
    used    record;
    first_e integer;
    last_e  integer := 0;
begin
    select h.position into strict head from log_head h for update;
    started := head;
    at := clock_timestamp();

    for i in 1 .. coalesce(array_length(c_key, 1), 0) loop
        first_e := last_e + 1;
        last_e := last_e + c_events[i];
        ordinal := i;

        select c.request_hash, c.response, c.position into used
        from commands c where c.scope = c_scope[i] and c.idempotency_key = c_key[i];
        if found then
            if used.request_hash = c_hash[i] then
                outcome := 'duplicate'; position := used.position; response := used.response;
            else
                outcome := 'reused'; position := null; response := null;
            end if;
            return next;
            continue;
        end if;

        -- Each aggregate's run in this command must start right after its last event and go on without a gap.
        if exists (
            select from (
                select e.sequence,
                       coalesce((select max(p.sequence) from events p
                                 where p.aggregate_type = e.aggregate_type and p.aggregate_id = e.aggregate_id), 0)
                       + row_number() over (partition by e.aggregate_type, e.aggregate_id order by e.n) as due
                from unnest(e_aggregate_type[first_e:last_e], e_aggregate_id[first_e:last_e], e_sequence[first_e:last_e])
                     with ordinality as e (aggregate_type, aggregate_id, sequence, n)
            ) s where s.sequence <> s.due
        ) then
            outcome := 'conflict'; position := null; response := null;
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
        head := head + c_events[i];

        insert into commands (scope, idempotency_key, request_hash, response, position, recorded_at)
        values (c_scope[i], c_key[i], c_hash[i], c_response[i], head, at);

        outcome := 'appended'; position := head; response := c_response[i];
        return next;
    end loop;

    if head > started then
        update log_head h set position = head;
        perform pg_notify('log_appended', head::text);
    end if;
end
$$;
