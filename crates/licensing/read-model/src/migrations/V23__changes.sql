-- Devices ask for what has changed since they asked last.
create index licenses_by_position on licenses (position, license_id);

-- What `q` searches is folded further, with a space before every word. Rows that exist are built again, as in V8.
update checkpoints set epoch = gen_random_uuid() where position > 0;
