-- The events database as its migrations make it. Generated: UPDATE_SCHEMAS=1 and the test `schema_sql` of event-store write it.

create table claims (
    scope text collate "C" not null,
    key text collate "C" not null,
    slot integer not null,
    holder uuid not null,
    "position" bigint not null,
    constraint claims_pkey PRIMARY KEY (scope, key, slot)
);
comment on table claims is 'Who holds what: one row per held claim, gone when released.';
comment on column claims.scope is 'What kind of thing is claimed.';
comment on column claims.key is 'The thing.';
comment on column claims.slot is 'Which of the places: 1 of a unique claim, 1 to n of a counted one.';
comment on column claims.holder is 'Who holds it, for example an aggregate.';
comment on column claims."position" is 'Position of the command that took it.';

create table commands (
    scope text not null,
    idempotency_key text not null,
    request_hash bytea not null,
    response text not null,
    "position" bigint not null,
    recorded_at timestamp with time zone not null,
    constraint commands_pkey PRIMARY KEY (scope, idempotency_key)
);
comment on table commands is 'The outcome of every accepted command, committed with its events: same key, same answer.';
comment on column commands.scope is 'Whose keys: a user and an operation, or a process manager.';
comment on column commands.idempotency_key is 'The caller''s key.';
comment on column commands.request_hash is 'SHA-256 of the request: the same key with another request is refused.';
comment on column commands.response is 'The answer, a JSON object without its position.';
comment on column commands."position" is 'The answer''s position: the command''s last event, or the head if it had none.';
comment on column commands.recorded_at is 'When it was accepted.';

create table data_keys (
    after bigint not null,
    events integer[] not null,
    person_ids uuid[] not null,
    master_keys text[] not null,
    wrapped bytea[] not null,
    constraint data_keys_pkey PRIMARY KEY (after),
    constraint data_keys_check CHECK (((cardinality(events) > 0) AND (cardinality(person_ids) = cardinality(events)) AND (cardinality(master_keys) = cardinality(events)) AND (cardinality(wrapped) = cardinality(events))))
) with (toast_tuple_target=8160);
comment on table data_keys is 'The data keys that personal data in events is sealed with, one row for each batch of commands. A destroyed key is an empty one of person 0.';
comment on column data_keys.after is 'The end of the log before the batch.';
comment on column data_keys.events is 'Of each key, its event: position minus after. The keys of an event stand together, in the order of their numbers.';
comment on column data_keys.person_ids is 'Whose data each key seals; the aggregate''s where no person is named.';
comment on column data_keys.master_keys is 'Which master key wraps each.';
comment on column data_keys.wrapped is 'Each key, encrypted by the master key.';

create table events (
    "position" bigint not null,
    aggregate_type text not null,
    aggregate_id uuid not null,
    sequence bigint not null,
    event_type text not null,
    event_version text not null,
    payload text not null,
    metadata text not null,
    recorded_at timestamp with time zone not null,
    constraint events_pkey PRIMARY KEY ("position"),
    constraint events_aggregate_type_aggregate_id_sequence_key UNIQUE (aggregate_type, aggregate_id, sequence),
    constraint events_position_check CHECK (("position" > 0)),
    constraint events_sequence_check CHECK ((sequence > 0))
);
comment on table events is 'What happened. Rows are only ever added.';
comment on column events."position" is 'Place in the log: 1, 2, 3 … without a gap, in commit order.';
comment on column events.aggregate_type is 'Kind of aggregate.';
comment on column events.aggregate_id is 'The aggregate.';
comment on column events.sequence is 'Place among the aggregate''s events: 1, 2, 3 … without a gap.';
comment on column events.event_type is 'What happened.';
comment on column events.event_version is 'Version of the payload''s shape.';
comment on column events.payload is 'The facts: JSON. For a look inside: payload::jsonb.';
comment on column events.metadata is 'Who and what led to it: JSON; ids only, no personal data.';
comment on column events.recorded_at is 'When the log took it, by the database''s clock; of an imported event, when it happened.';

create table inbox_messages (
    source text not null,
    key bytea not null,
    dealt_with_at timestamp with time zone default now() not null,
    constraint inbox_messages_pkey PRIMARY KEY (source, key)
);
comment on table inbox_messages is 'Messages from outside that were dealt with; forgotten when their sender no longer repeats them.';
comment on column inbox_messages.source is 'Who sends them, for example webhook:vipps.';
comment on column inbox_messages.key is 'What is the same for every delivery of one message.';
comment on column inbox_messages.dealt_with_at is 'When it was.';

create table leases (
    name text not null,
    holder uuid not null,
    expires_at timestamp with time zone not null,
    constraint leases_pkey PRIMARY KEY (name)
);
comment on table leases is 'Who leads what, and until when unless renewed.';
comment on column leases.name is 'What is led.';
comment on column leases.holder is 'The instance, a new id per process.';
comment on column leases.expires_at is 'Whoever asks after that leads, by the database''s clock.';

create table log_epochs (
    epoch uuid not null,
    after_position bigint not null,
    began_at timestamp with time zone not null,
    reason text not null,
    constraint log_epochs_pkey PRIMARY KEY (epoch),
    constraint log_epochs_after_position_check CHECK ((after_position >= 0))
);
comment on table log_epochs is 'One row per life of the log. Rows are only ever added.';
comment on column log_epochs.epoch is 'Its identity, as log_head has it while it lasts.';
comment on column log_epochs.after_position is 'Where the log ended when it began: this far it is the same as the life before.';
comment on column log_epochs.began_at is 'When, by the database''s clock.';
comment on column log_epochs.reason is 'Why: what somebody said, or what was noticed.';

create table log_head (
    id boolean default true not null,
    "position" bigint not null,
    epoch uuid not null,
    constraint log_head_pkey PRIMARY KEY (id),
    constraint log_head_id_check CHECK (id),
    constraint log_head_position_check CHECK (("position" >= 0))
) with (fillfactor=10);
comment on table log_head is 'One row. Its lock orders all appends; it is taken once per batch and never held across a client round trip.';
comment on column log_head."position" is 'Position of the last event; 0 before the first.';
comment on column log_head.epoch is 'Identity of this history: a new one whenever the log is restored to an earlier point.';

create table log_seals (
    first_position bigint not null,
    last_position bigint not null,
    epoch uuid not null,
    merkle_root bytea not null,
    previous_seal_hash bytea not null,
    sealed_at timestamp with time zone not null,
    signature bytea not null,
    leaf_marks bytea not null,
    constraint log_seals_pkey PRIMARY KEY (first_position),
    constraint log_seals_last_position_key UNIQUE (last_position),
    constraint log_seals_previous_seal_hash_key UNIQUE (previous_seal_hash),
    constraint log_seals_check CHECK ((last_position >= first_position)),
    constraint log_seals_first_position_check CHECK ((first_position > 0)),
    constraint log_seals_merkle_root_check CHECK ((octet_length(merkle_root) = 32)),
    constraint log_seals_previous_seal_hash_check CHECK ((octet_length(previous_seal_hash) = 32)),
    constraint log_seals_signature_check CHECK ((octet_length(signature) = 64))
);
comment on table log_seals is 'One row per sealed range of positions, each chained to the one before. Rows are only ever added.';
comment on column log_seals.first_position is 'The range''s first position: one after the last of the seal before, so that two sealers can''t both go on from there.';
comment on column log_seals.last_position is 'The range''s last position.';
comment on column log_seals.epoch is 'The log''s epoch when it was sealed.';
comment on column log_seals.merkle_root is 'Root of the RFC 6962 tree over the range''s events.';
comment on column log_seals.previous_seal_hash is 'SHA-256 of the seal before; zeros in the first.';
comment on column log_seals.sealed_at is 'When, by the sealer''s clock.';
comment on column log_seals.signature is 'Ed25519 over everything above.';
comment on column log_seals.leaf_marks is 'The first eight bytes of each leaf''s hash. Proves nothing; says which event it was that no longer fits the root.';

create table log_secrets (
    name text collate "C" not null,
    master_key text collate "C" not null,
    wrapped bytea not null,
    constraint log_secrets_pkey PRIMARY KEY (name)
);
comment on table log_secrets is 'Secrets of this log, for example the key of the request hashes; wrapped by a master key.';
comment on column log_secrets.name is 'What it is for.';
comment on column log_secrets.master_key is 'Which master key wraps it.';
comment on column log_secrets.wrapped is 'The secret, encrypted by the master key.';

create table person_keys (
    aggregate_id uuid not null,
    key_id uuid not null,
    person_id uuid not null,
    aggregate_type text collate "C" not null,
    "position" bigint not null,
    master_key text collate "C" not null,
    wrapped bytea not null,
    constraint person_keys_pkey PRIMARY KEY (aggregate_id, key_id)
);
comment on table person_keys is 'Data keys of events that seal each value by itself, and where data in clear is. Nothing is added for new events.';
comment on column person_keys.aggregate_id is 'The aggregate whose events hold the data.';
comment on column person_keys.key_id is 'Names the key in the payloads.';
comment on column person_keys.person_id is 'Whose data it is; the aggregate where no person is named.';
comment on column person_keys.aggregate_type is 'Kind of the aggregate.';
comment on column person_keys."position" is 'Position of the command that brought the key.';
comment on column person_keys.master_key is 'Which master key wraps it.';
comment on column person_keys.wrapped is 'The key, encrypted by the master key.';

create table process_checkpoints (
    process text not null,
    "position" bigint not null,
    updated_at timestamp with time zone not null,
    fingerprint bytea,
    epoch uuid,
    marked_position bigint,
    constraint process_checkpoints_pkey PRIMARY KEY (process),
    constraint process_checkpoints_fingerprint_check CHECK ((octet_length(fingerprint) = 16)),
    constraint process_checkpoints_position_check CHECK (("position" >= 0))
);
comment on table process_checkpoints is 'How far each process manager has read the log.';
comment on column process_checkpoints.process is 'The process manager.';
comment on column process_checkpoints."position" is 'Position of the last event it has planned for.';
comment on column process_checkpoints.updated_at is 'When it last moved.';
comment on column process_checkpoints.fingerprint is 'Fingerprint of the event at the position; null at 0, and until the first start of a build that keeps it.';
comment on column process_checkpoints.epoch is 'The life of the log in which it last moved; null until the first start of a build that keeps it.';
comment on column process_checkpoints.marked_position is 'The position that fingerprint and epoch are of; another one than position says that they are unknown.';

create table process_tasks (
    process text not null,
    aggregate_id uuid not null,
    kind text not null,
    due_at timestamp with time zone not null,
    "position" bigint not null,
    request_id text,
    correlation_id text,
    attempts integer default 0 not null,
    leased_until timestamp with time zone,
    last_error text,
    constraint process_tasks_pkey PRIMARY KEY (process, aggregate_id, kind)
);
comment on table process_tasks is 'What is still to be done: one row per aggregate and kind, gone when done.';
comment on column process_tasks.process is 'The process manager.';
comment on column process_tasks.aggregate_id is 'The aggregate it is about.';
comment on column process_tasks.kind is 'What to do.';
comment on column process_tasks.due_at is 'Not before.';
comment on column process_tasks."position" is 'The event that led to it.';
comment on column process_tasks.request_id is 'The request that led to that event.';
comment on column process_tasks.correlation_id is 'What started the whole conversation.';
comment on column process_tasks.attempts is 'How often it was taken since it last made progress.';
comment on column process_tasks.leased_until is 'Taken by a worker until then; after that anyone may take it again.';
comment on column process_tasks.last_error is 'Why the last attempt failed; no personal data.';

create table snapshots (
    aggregate_type text not null,
    aggregate_id uuid not null,
    sequence bigint not null,
    "position" bigint not null,
    epoch uuid not null,
    shape text not null,
    correlation_id text,
    state text not null,
    taken_at timestamp with time zone not null,
    constraint snapshots_pkey PRIMARY KEY (aggregate_type, aggregate_id),
    constraint snapshots_position_check CHECK (("position" > 0)),
    constraint snapshots_sequence_check CHECK ((sequence > 0))
) with (fillfactor=70);
comment on table snapshots is 'The newest snapshot of each aggregate that has one. May be emptied at any time.';
comment on column snapshots.aggregate_type is 'Kind of aggregate.';
comment on column snapshots.aggregate_id is 'The aggregate.';
comment on column snapshots.sequence is 'Sequence of the last event in it.';
comment on column snapshots."position" is 'Position of that event: a snapshot whose event is not there is not used.';
comment on column snapshots.epoch is 'The log''s epoch: a snapshot of another one is not used.';
comment on column snapshots.shape is 'What made it, as the program says: one made by another is not used.';
comment on column snapshots.correlation_id is 'The conversation that the first event began or belongs to.';
comment on column snapshots.state is 'The aggregate as JSON. Holds personal data, as the events do.';
comment on column snapshots.taken_at is 'When it was written, by the database''s clock.';

create table staged_chunks (
    work_id uuid not null,
    first integer not null,
    content bytea not null,
    staged_at timestamp with time zone default clock_timestamp() not null,
    constraint staged_chunks_pkey PRIMARY KEY (work_id, first)
);
comment on table staged_chunks is 'Work that was received and is not done yet, in chunks; a chunk is deleted when it is done.';
comment on column staged_chunks.work_id is 'The work, for example a batch.';
comment on column staged_chunks.first is 'Number of its first item, from 1.';
comment on column staged_chunks.content is 'Its items, sealed: they may hold personal data.';
comment on column staged_chunks.staged_at is 'When it was received.';

CREATE INDEX claims_holder ON public.claims USING btree (holder);

CREATE INDEX inbox_messages_by_age ON public.inbox_messages USING btree (source, dealt_with_at);

CREATE INDEX process_tasks_due ON public.process_tasks USING btree (process, kind, due_at);

CREATE TRIGGER events_are_final BEFORE DELETE OR UPDATE OR TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER epochs_are_final BEFORE DELETE OR UPDATE OR TRUNCATE ON public.log_epochs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER seals_are_final BEFORE DELETE OR UPDATE OR TRUNCATE ON public.log_seals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create view personal_data as
 SELECT k.person_id,
    e.aggregate_type,
    e.aggregate_id,
    e."position"
   FROM ((data_keys d
     CROSS JOIN LATERAL UNNEST(d.events, d.person_ids) k(event, person_id))
     CROSS JOIN LATERAL ( SELECT e_1.aggregate_type,
            e_1.aggregate_id,
            e_1."position"
           FROM events e_1
          WHERE (e_1."position" = (d.after + k.event))
         OFFSET 0) e)
UNION ALL
 SELECT k.person_id,
    k.aggregate_type,
    k.aggregate_id,
    k."position"
   FROM person_keys k;

CREATE OR REPLACE FUNCTION public.append_batch(c_scope text[], c_key text[], c_hash bytea[], c_response text[], c_last integer[], e_command integer[], e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[], e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[], s_last integer[], s_command integer[], s_scope text[], s_key text[], s_holder uuid[], s_at_most integer[], in_turn integer[], k_event integer[], k_person uuid[], k_master text[], k_wrapped bytea[], c_former bytea[])
 RETURNS TABLE(ordinal integer, outcome text, "position" bigint, response text, epoch uuid)
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.append_batch_checked(c_scope text[], c_key text[], c_hash bytea[], c_response text[], c_last integer[], e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[], e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[], s_last integer[], s_scope text[], s_key text[], s_holder uuid[], s_at_most integer[], k_event integer[], k_person uuid[], k_master text[], k_wrapped bytea[], c_former bytea[])
 RETURNS TABLE(ordinal integer, outcome text, "position" bigint, response text, epoch uuid)
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.destroy_keys(person uuid, aggregates uuid[], through bigint)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.import_batch(expected bigint, readers text[], e_at timestamp with time zone[], e_aggregate_type text[], e_aggregate_id uuid[], e_sequence bigint[], e_event_type text[], e_event_version text[], e_payload text[], e_metadata text[], r_scope text[], r_key text[], r_holder uuid[], t_event integer[], t_scope text[], t_key text[], t_holder uuid[], t_at_most integer[], k_event integer[], k_person uuid[], k_master text[], k_wrapped bytea[])
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    raise exception 'the log is append-only: % on % refused', tg_op, tg_table_name using errcode = 'restrict_violation';
end
$function$;

CREATE OR REPLACE FUNCTION public.settle_claims(s_scope text[], s_key text[], s_holder uuid[], s_at_most integer[], at_position bigint)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
declare
    released claims[];
    mine     boolean;
    held     integer;
    who      uuid[];
    free     integer;
    took     integer[] := '{}';
    slots    integer[] := '{}';
    refused  text[] := '{}';
begin
    with gone as (
        delete from claims c using unnest(s_scope, s_key, s_holder, s_at_most) as s (scope, key, holder, at_most)
        where s.at_most = 0 and c.holder = s.holder and (s.scope is null or (c.scope = s.scope and c.key = s.key))
        returning c.*
    )
    select array_agg(gone::claims) into released from gone;

    for i in 1 .. coalesce(array_length(s_at_most, 1), 0) loop
        continue when s_at_most[i] = 0;
        select count(*), coalesce(bool_or(c.holder = s_holder[i]), false), array_agg(c.holder order by c.slot)
        into held, mine, who
        from claims c where c.scope = s_scope[i] and c.key = s_key[i];
        continue when mine;
        if s_at_most[i] < 0 then
            if held >= -s_at_most[i] then
                refused := refused || json_build_object('scope', s_scope[i], 'key', s_key[i], 'holders', who)::text;
            end if;
            continue;
        end if;
        if held >= s_at_most[i] then
            refused := refused || json_build_object('scope', s_scope[i], 'key', s_key[i], 'holders', who)::text;
            continue;
        end if;
        -- The lowest free one. Fewer than at_most are held, so it is one of these.
        select coalesce(min(c.slot), 0) + 1 into free
        from (select 0 as slot union all select c.slot from claims c where c.scope = s_scope[i] and c.key = s_key[i]) c
        where not exists (select from claims n where n.scope = s_scope[i] and n.key = s_key[i] and n.slot = c.slot + 1);
        insert into claims (scope, key, slot, holder, position)
        values (s_scope[i], s_key[i], free, s_holder[i], at_position);
        took := took || i;
        slots := slots || free;
    end loop;

    if refused = '{}' then
        return null;
    end if;
    delete from claims c using unnest(took, slots) as t (i, slot)
    where c.scope = s_scope[t.i] and c.key = s_key[t.i] and c.slot = t.slot;
    insert into claims select * from unnest(released);
    return '[' || array_to_string(refused, ',') || ']';
end
$function$;

CREATE OR REPLACE FUNCTION public.stale_stream(aggregate_types text[], aggregate_ids uuid[], sequences bigint[])
 RETURNS text
 LANGUAGE sql
AS $function$
    select json_build_object('aggregate_type', s.aggregate_type, 'aggregate_id', s.aggregate_id, 'version', s.version)::text
    from (
        select e.n, e.aggregate_type, e.aggregate_id, e.sequence, coalesce(p.version, 0) as version,
               coalesce(p.version, 0) + row_number() over (partition by e.aggregate_type, e.aggregate_id order by e.n) as due
        from unnest(aggregate_types, aggregate_ids, sequences) with ordinality as e (aggregate_type, aggregate_id, sequence, n)
        cross join lateral (
            select max(p.sequence) as version from events p
            where p.aggregate_type = e.aggregate_type and p.aggregate_id = e.aggregate_id
        ) p
    ) s
    where s.sequence <> s.due
    order by s.n
    limit 1
$function$;
