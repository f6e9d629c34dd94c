-- Who follows what changes asks for the rows that moved past a position. Tables of some hundred rows are read whole.
create index orders_by_position on orders (position, order_id);
create index receipts_by_position on receipts (position, receipt_id);
create index letters_by_position on letters (position, letter_id);
create index suspensions_by_position on suspensions (position, suspension_id);
create index batches_by_position on batches (position, batch_id);
create index users_by_position on users (position, user_id);

-- The catalogue is asked for as of another moment.
alter table license_types add column retired_at timestamptz;
comment on column license_types.retired_at is 'When it was retired, if it was.';

-- Rows that exist do not say when. They are built again, as in V8.
update checkpoints set epoch = gen_random_uuid() where position > 0;
