-- Receipts and credit notes, one series a year.
create table receipts (
    receipt_id uuid primary key,
    receipt_number text not null,
    year integer not null,
    number bigint not null check (number > 0),
    kind text not null check (kind in ('receipt', 'credit_note')),
    corrects text,
    order_id uuid not null,
    order_number text not null,
    customer_id uuid not null,
    provider text not null,
    payment_reference text not null,
    lines jsonb not null,
    gross_ore bigint not null,
    tax_ore bigint not null,
    currency text not null,
    happened_on date not null,
    happened_at timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null,
    position bigint not null
);
comment on table receipts is 'Receipts and credit notes. A row never changes.';
comment on column receipts.receipt_id is 'Follows from year and number.';
comment on column receipts.receipt_number is 'Number in the series of its year, as people write it.';
comment on column receipts.year is 'Year of the series.';
comment on column receipts.number is 'Place in the series, from 1, without a gap.';
comment on column receipts.kind is 'receipt or credit_note.';
comment on column receipts.corrects is 'Number of the receipt that a credit note corrects.';
comment on column receipts.order_id is 'Order.';
comment on column receipts.order_number is 'Number of that order.';
comment on column receipts.customer_id is 'User who placed that order.';
comment on column receipts.provider is 'Payment provider.';
comment on column receipts.payment_reference is 'Reference of the payment at the provider.';
comment on column receipts.lines is 'What was sold or taken back.';
comment on column receipts.gross_ore is 'Sum of the lines, tax included, in øre.';
comment on column receipts.tax_ore is 'Tax in it, in øre.';
comment on column receipts.currency is 'ISO 4217 code.';
comment on column receipts.happened_on is 'Day in Norway on which the money moved.';
comment on column receipts.happened_at is 'When the money moved, by the log.';
comment on column receipts.created_at is 'When the number was given.';
comment on column receipts.updated_at is 'The same: a receipt never changes.';
comment on column receipts.version is 'Sequence of the event in its series.';
comment on column receipts.position is 'Log position of that event.';
create index receipts_by_created on receipts (created_at, receipt_id);
create index receipts_by_number on receipts (receipt_number, receipt_id);
create index receipts_by_order on receipts (order_id, created_at, receipt_id);
create index receipts_by_kind on receipts (kind, created_at, receipt_id);
create index receipts_by_day on receipts (happened_on, receipt_id);
create index receipts_by_customer on receipts (customer_id, created_at, receipt_id);
