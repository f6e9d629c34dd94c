-- peers::message_db::contender, for pgbench.
select message_store.write_message(gen_random_uuid()::varchar, ('account' || :client_id || '-' || gen_random_uuid()::text)::varchar, 'Opened'::varchar, :payload::jsonb, '{}'::jsonb, (-1)::bigint);
