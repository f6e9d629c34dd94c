-- What became of the letters about orders. No letter was sent before this, so nothing is built again.
create table letters (
    letter_id uuid primary key,
    order_id uuid not null,
    order_number text not null,
    kind text not null check (kind in ('license', 'receipt')),
    receipt_number text,
    status text not null check (status in ('sent', 'refused', 'undeliverable')),
    failure text check (failure in ('no_address', 'bad_address', 'gave_up')),
    recipient_id uuid,
    recipient text,
    message_id text,
    documents integer not null,
    smtp_code integer,
    enhanced_status text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null,
    position bigint not null
);
comment on table letters is 'E-mails about orders that have an end. One row per letter.';
comment on column letters.letter_id is 'Follows from order, kind and receipt number.';
comment on column letters.order_id is 'Order that the letter is about.';
comment on column letters.order_number is 'Number of that order.';
comment on column letters.kind is 'license or receipt.';
comment on column letters.receipt_number is 'Number of the receipt or credit note that the letter brings.';
comment on column letters.status is 'sent, refused or undeliverable.';
comment on column letters.failure is 'Why it is undeliverable: no_address, bad_address or gave_up.';
comment on column letters.recipient_id is 'Buyer or holder whom the letter is for; null if no address is known.';
comment on column letters.recipient is 'E-mail address; personal data. Null if none is known, or the person is forgotten.';
comment on column letters.message_id is 'Message-ID of the letter.';
comment on column letters.documents is 'How many documents were attached.';
comment on column letters.smtp_code is 'Reply code of the mail server that did not take it.';
comment on column letters.enhanced_status is 'Enhanced status code of that reply.';
comment on column letters.created_at is 'When the end of the letter was recorded.';
comment on column letters.updated_at is 'When the last event of the letter was recorded.';
comment on column letters.version is 'Sequence of that event in the letters of its order.';
comment on column letters.position is 'Log position of that event.';
create index letters_by_created on letters (created_at, letter_id);
create index letters_by_order on letters (order_id, created_at, letter_id);
create index letters_by_status on letters (status, created_at, letter_id);
create index letters_by_kind on letters (kind, created_at, letter_id);
