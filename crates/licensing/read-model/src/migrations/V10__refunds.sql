-- How far money is on its way back, for the order and for each line. The projector builds the rows again, for orders that
-- were refunded before.
alter table orders
    add column refund_state text check (refund_state in ('pending', 'failed', 'refunded')),
    add column refunds      jsonb not null default '[]';
comment on column orders.refund_state is 'How far the money that has to go back is on its way; null if none has.';
comment on column orders.refunds is 'Lines whose money goes back or went back: line, amount_ore, state.';
create index orders_by_refund_state on orders (refund_state, created_at, order_id) where refund_state is not null;
update checkpoints set epoch = gen_random_uuid() where projection = 'licensing' and position > 0;
