-- append::contenders, for pgbench: a hundred rows per transaction.
insert into events (position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, recorded_at) select nextval('positions'), 'account', gen_random_uuid(), 1, 'Opened', '1', :payload, '{}', clock_timestamp() from generate_series(1, 100);
