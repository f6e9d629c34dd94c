-- limit::bare_insert. $1 position, $2 id, $3 payload.
insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at)
values ($1, 'account', $2, 1, 'Opened', '1', $3::text, '{}', clock_timestamp())
