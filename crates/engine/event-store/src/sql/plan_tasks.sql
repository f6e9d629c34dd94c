-- Tasks::plan. $1 process, $2 old position, $3 new position; $4..$9 per task: aggregate id, kind, due at, position, request id, correlation id; $10 fingerprint of the event at the new position, $11 epoch that its log must be in; null if they are not known.
-- Moves the checkpoint only from the old position, and adds the tasks only if it moved: no row means another reader was there first, or the log is in another epoch.
with moved as (
    insert into process_checkpoints as c (process, position, updated_at, fingerprint, epoch, marked_position)
    select $1, $3, now(), $10::bytea, $11::uuid, $3
    where ($2::bigint = 0 or exists (select from process_checkpoints where process = $1))
      and ($11::uuid is null or exists (select from log_head where epoch = $11))
    on conflict (process) do update
        set position = excluded.position, updated_at = excluded.updated_at,
            fingerprint = excluded.fingerprint, epoch = excluded.epoch, marked_position = excluded.position
        where c.position = $2
    returning c.position
), planned as (
    insert into process_tasks as t (process, aggregate_id, kind, due_at, position, request_id, correlation_id)
    select $1, n.aggregate_id, n.kind, n.due_at, n.position, n.request_id, n.correlation_id
    from unnest($4::uuid[], $5::text[], $6::timestamptz[], $7::bigint[], $8::text[], $9::text[])
         as n (aggregate_id, kind, due_at, position, request_id, correlation_id), moved
    on conflict (process, aggregate_id, kind) do update
        set due_at = excluded.due_at, position = excluded.position, request_id = excluded.request_id,
            correlation_id = excluded.correlation_id, attempts = 0, leased_until = null, last_error = null
)
select position from moved
