-- What became of an order's money, as the provider's books have it.

alter table orders
    add column captured_ore    bigint not null default 0,
    add column refunded_ore    bigint not null default 0,
    add column written_off_ore bigint not null default 0,
    add column capture_failure text;
comment on column orders.status          is 'placed, payment_pending, paid, fulfilled, capture_failed, cancelled, expired, refund_pending or refunded.';
comment on column orders.captured_ore    is 'What was collected in all, in øre.';
comment on column orders.refunded_ore    is 'What of it was paid back, by the shop or in the portal of the provider, in øre.';
comment on column orders.written_off_ore is 'What of the total was given up, in øre.';
comment on column orders.capture_failure is 'Why the money can not be collected, until that is decided: partly_collected, reservation_gone or collected_too_much; else null.';
