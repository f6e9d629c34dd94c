-- Rows that exist may list prices that held long ago, and several with one start. They are built again, as in V8.
update checkpoints set epoch = gen_random_uuid() where position > 0;
comment on column license_types.prices is 'Prices that are coming, the one in force and the latest ones before it, in the order they were set, as they are shown: [{price_ore, valid_from}], valid_from an RFC 3339 timestamp.';
comment on column license_types.prices_valid_from is 'The starts of those prices; the price now is the one with the latest start that has come.';
