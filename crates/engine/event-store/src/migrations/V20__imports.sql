-- Imports: a log that begins with a history takes its events with the times at which they happened. What appends refuse one by
-- one, an import refuses as a whole, since a history has no caller who could decide again.

-- Appends a part of a history behind position `expected`, which must be the head: then a part is recorded once, whatever became
-- of the answer. Times never go back along the log, and none is ahead of the database's clock. Returns the new head.
--
-- readers: the process managers that have read all of the log so far, and have nothing to do for these events either: their
--   checkpoints move with the head.
-- e_* arrays: one element per event, as append_batch has them; e_at: when it happened.
-- r_* arrays: the claims that are given up, all of the holder where r_scope is null. t_* arrays: those that are held afterwards,
--   without what was taken and given up within this part; t_event: the last event of the command that took it, from 1.
-- k_* arrays: one element per data key, as append_batch has them.
create function import_batch(
    expected bigint, readers text[],
    e_at timestamptz[], e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[],
    e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[],
    r_scope text[], r_key text[], r_holder uuid[],
    t_event integer[], t_scope text[], t_key text[], t_holder uuid[], t_at_most integer[],
    k_event integer[], k_person uuid[], k_master text[], k_wrapped bytea[]
) returns bigint
language plpgsql as $$
declare
    added bigint := cardinality(e_sequence);
    moved bigint;
    taken text;
begin
    update log_head h set position = h.position + added where h.position = expected;
    if not found then
        raise 'the log does not end at position %', expected using errcode = 'integrity_constraint_violation';
    end if;

    if exists (select from unnest(e_at, e_at[2:]) as e (at, next) where e.next < e.at)
       or e_at[1] < (select e.recorded_at from events e where e.position = expected) then
        raise 'times go back after position %', expected using errcode = 'integrity_constraint_violation';
    end if;
    if e_at[added] > clock_timestamp() then
        raise 'a time is ahead of the clock' using errcode = 'integrity_constraint_violation';
    end if;

    insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
    select expected + e.n, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload, e.metadata, e.at
    from unnest(e_at, e_aggregate_type, e_aggregate_id, e_sequence, e_event_type, e_event_version, e_payload, e_metadata)
         with ordinality as e (at, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, n);

    -- As in append_batch: the unique index refuses a sequence that exists, this one whose predecessor is not before it.
    if exists (
        select from unnest(e_aggregate_type, e_aggregate_id, e_sequence)
             with ordinality as e (aggregate_type, aggregate_id, sequence, n)
        where e.sequence > 1 and not exists (
            select from events p
            where p.aggregate_type = e.aggregate_type and p.aggregate_id = e.aggregate_id and p.sequence = e.sequence - 1
              and p.position < expected + e.n)
    ) then
        raise 'an event does not follow its aggregate''s last one' using errcode = 'integrity_constraint_violation';
    end if;

    if cardinality(r_holder) > 0 then
        delete from claims c using unnest(r_scope, r_key, r_holder) as r (scope, key, holder)
        where c.holder = r.holder and (r.scope is null or (c.scope = r.scope and c.key = r.key));
    end if;
    if cardinality(t_event) > 0 then
        insert into claims (scope, key, slot, holder, position)
        select t.scope, t.key, 1, t.holder, expected + t.event
        from unnest(t_event, t_scope, t_key, t_holder, t_at_most) as t (event, scope, key, holder, at_most)
        where t.at_most = 1
        on conflict (scope, key, slot) do nothing;
        select t.scope || ' ' || t.key into taken
        from unnest(t_scope, t_key, t_holder, t_at_most) as t (scope, key, holder, at_most)
        cross join lateral (select c.holder from claims c where c.scope = t.scope and c.key = t.key and c.slot = 1 offset 0) c
        where t.at_most = 1 and c.holder <> t.holder
        limit 1;
        for i in 1 .. cardinality(t_event) loop
            if t_at_most[i] > 1 then
                taken := coalesce(taken, settle_claims(
                    t_scope[i:i], t_key[i:i], t_holder[i:i], t_at_most[i:i], expected + t_event[i]));
            end if;
        end loop;
        if taken is not null then
            raise 'a claim is held by others: %', taken using errcode = 'integrity_constraint_violation';
        end if;
    end if;

    if cardinality(k_event) > 0 then
        insert into data_keys (after, events, person_ids, master_keys, wrapped)
        values (expected, k_event, k_person, k_master, k_wrapped);
    end if;

    insert into process_checkpoints as c (process, position, updated_at)
    select r.process, expected + added, clock_timestamp()
    from unnest(readers) as r (process)
    where expected = 0 or exists (select from process_checkpoints c where c.process = r.process)
    on conflict (process) do update set position = excluded.position, updated_at = excluded.updated_at
        where c.position = expected;
    get diagnostics moved = row_count;
    if moved < cardinality(readers) then
        raise 'a process manager has not read the log up to position %', expected using errcode = 'integrity_constraint_violation';
    end if;

    perform pg_notify('log_appended', (expected + added)::text);
    return expected + added;
end
$$;

comment on column events.recorded_at is 'When the log took it, by the database''s clock; of an imported event, when it happened.';
