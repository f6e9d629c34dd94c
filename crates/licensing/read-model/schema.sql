-- The read database as its migrations make it. Generated: UPDATE_SCHEMAS=1 and the test `schema_sql` of read-model write it.

create table batch_items (
    item_id uuid not null,
    batch_id uuid not null,
    n bigint not null,
    outcome text not null,
    target text,
    code text,
    fields jsonb not null,
    version bigint not null,
    "position" bigint not null,
    constraint batch_items_pkey PRIMARY KEY (item_id)
);
comment on table batch_items is 'What became of the items of batches. One row per item that is done or was refused; a row never changes.';
comment on column batch_items.item_id is 'Follows from position and n.';
comment on column batch_items.batch_id is 'The batch.';
comment on column batch_items.n is 'Number of the item in its batch, from 1.';
comment on column batch_items.outcome is 'succeeded or failed.';
comment on column batch_items.target is 'Id or code of what the item is about.';
comment on column batch_items.code is 'Code of the problem of a refused item.';
comment on column batch_items.fields is 'Which fields of a refused item are wrong.';
comment on column batch_items.version is 'Sequence of the event in its batch.';
comment on column batch_items."position" is 'Log position of that event.';

create table batches (
    batch_id uuid not null,
    kind text not null,
    dry_run boolean not null,
    status text not null,
    total bigint not null,
    succeeded bigint not null,
    failed bigint not null,
    submitted_by text,
    submitted_at timestamp with time zone not null,
    finished_at timestamp with time zone,
    version bigint not null,
    "position" bigint not null,
    constraint batches_pkey PRIMARY KEY (batch_id)
);
comment on table batches is 'Batches: many commands of one kind. One row per batch.';
comment on column batches.batch_id is 'Aggregate id of the batch.';
comment on column batches.kind is 'What the items are.';
comment on column batches.dry_run is 'Whether the items are only judged.';
comment on column batches.status is 'running or done.';
comment on column batches.total is 'Number of items.';
comment on column batches.succeeded is 'Number of items that are done.';
comment on column batches.failed is 'Number of items that were refused.';
comment on column batches.submitted_by is 'Id of the user who submitted it, or process:<name>.';
comment on column batches.submitted_at is 'When all items were received.';
comment on column batches.finished_at is 'When the last item was done or refused; null while it runs.';
comment on column batches.version is 'Sequence of the last applied event of the batch.';
comment on column batches."position" is 'Log position of the last event that changed the row.';

create table checkpoints (
    projection text not null,
    "position" bigint not null,
    epoch uuid not null,
    updated_at timestamp with time zone default now() not null,
    fingerprint bytea,
    stale_since timestamp with time zone,
    tables_id uuid default gen_random_uuid() not null,
    versions jsonb default '{}'::jsonb not null,
    constraint checkpoints_pkey PRIMARY KEY (projection),
    constraint checkpoints_fingerprint_check CHECK ((octet_length(fingerprint) = 16)),
    constraint checkpoints_position_check CHECK (("position" >= 0))
);
comment on table checkpoints is 'How far each projection has come; moves in the same transaction as its rows.';
comment on column checkpoints.projection is 'Name of the projection, for example licensing.';
comment on column checkpoints."position" is 'Last position of the log whose event is in the rows; 0 before the first.';
comment on column checkpoints.epoch is 'Epoch of the log the position belongs to; another epoch there means rebuild.';
comment on column checkpoints.updated_at is 'When the checkpoint last moved.';
comment on column checkpoints.fingerprint is 'Fingerprint of the event at the position; null at 0, and until the first start of a build that keeps it.';
comment on column checkpoints.stale_since is 'Since when the rows are known to be of another log than there is now: of an earlier epoch, or of events that the log lost. Answers say so.';
comment on column checkpoints.tables_id is 'Tells these tables from rebuilt ones.';
comment on column checkpoints.versions is 'Versions of collections that readers keep copies of: a new random id, written with every change of their rows. None before the first.';

create table clubs (
    club_id uuid not null,
    name text not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    search text default ''::text not null,
    status text default 'active'::text not null,
    constraint clubs_pkey PRIMARY KEY (club_id)
);
comment on table clubs is 'Affiliated clubs.';
comment on column clubs.club_id is 'Aggregate id of the club.';
comment on column clubs.name is 'Name of the club.';
comment on column clubs.created_at is 'When the club was added.';
comment on column clubs.updated_at is 'When the last event of the club was recorded.';
comment on column clubs.version is 'Sequence of the last applied event of the aggregate.';
comment on column clubs."position" is 'Log position of the last event that changed the row.';
comment on column clubs.search is 'What q searches, folded: the name.';
comment on column clubs.status is 'active or inactive.';

create table leases (
    name text not null,
    holder uuid not null,
    expires_at timestamp with time zone not null,
    constraint leases_pkey PRIMARY KEY (name)
);
comment on table leases is 'Which projector leads, and until when unless renewed.';
comment on column leases.name is 'Name of the projection.';
comment on column leases.holder is 'The instance, a new id per process.';
comment on column leases.expires_at is 'Whoever asks after that leads, by the database''s clock.';

create table letters (
    letter_id uuid not null,
    order_id uuid not null,
    order_number text not null,
    kind text not null,
    receipt_number text,
    status text not null,
    failure text,
    recipient_id uuid,
    recipient text,
    message_id text,
    documents integer not null,
    smtp_code integer,
    enhanced_status text,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    constraint letters_pkey PRIMARY KEY (letter_id),
    constraint letters_failure_check CHECK ((failure = ANY (ARRAY['no_address'::text, 'bad_address'::text, 'gave_up'::text]))),
    constraint letters_kind_check CHECK ((kind = ANY (ARRAY['license'::text, 'receipt'::text]))),
    constraint letters_status_check CHECK ((status = ANY (ARRAY['sent'::text, 'refused'::text, 'undeliverable'::text])))
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
comment on column letters."position" is 'Log position of that event.';

create table license_types (
    license_type_id uuid not null,
    code text not null,
    category text not null,
    discipline text not null,
    role text not null,
    name_nb text not null,
    name_en text not null,
    prices jsonb default '[]'::jsonb not null,
    min_age integer,
    max_age integer,
    max_days integer default 1 not null,
    status text default 'active'::text not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    prices_ore bigint[] default '{}'::bigint[] not null,
    prices_valid_from timestamp with time zone[] default '{}'::timestamp with time zone[] not null,
    search text default ''::text not null,
    lifetime_cap integer,
    tax_code text default 'exempt'::text not null,
    tax_rate_permille integer default 0 not null,
    retired_at timestamp with time zone,
    constraint license_types_pkey PRIMARY KEY (license_type_id),
    constraint license_types_code_key UNIQUE (code),
    constraint license_types_lifetime_cap_check CHECK ((lifetime_cap > 0)),
    constraint license_types_prices CHECK (((cardinality(prices_ore) = cardinality(prices_valid_from)) AND ('1900-01-01 00:00:00+00'::timestamp with time zone <= ALL (prices_valid_from)) AND ('9999-12-31 23:59:59.999999+00'::timestamp with time zone >= ALL (prices_valid_from)))),
    constraint license_types_tax_rate_permille_check CHECK ((tax_rate_permille >= 0))
);
comment on table license_types is 'The catalogue.';
comment on column license_types.license_type_id is 'Aggregate id of the license type.';
comment on column license_types.code is 'Stable code used by orders.';
comment on column license_types.category is 'Category, for example competition.';
comment on column license_types.discipline is 'Discipline, for example bilcross.';
comment on column license_types.role is 'driver, codriver, companion or passenger.';
comment on column license_types.name_nb is 'Name in Norwegian (bokmål).';
comment on column license_types.name_en is 'Name in English.';
comment on column license_types.prices is 'Prices that are coming, the one in force and the latest ones before it, in the order they were set, as they are shown: [{price_ore, valid_from}], valid_from an RFC 3339 timestamp.';
comment on column license_types.min_age is 'Youngest age in years on the activity date, null for none.';
comment on column license_types.max_age is 'Oldest age in years on the activity date, null for none.';
comment on column license_types.max_days is 'Most consecutive days one license may span.';
comment on column license_types.status is 'active or retired.';
comment on column license_types.created_at is 'When the type was added.';
comment on column license_types.updated_at is 'When the last event of the type was recorded.';
comment on column license_types.version is 'Sequence of the last applied event of the aggregate.';
comment on column license_types."position" is 'Log position of the last event that changed the row.';
comment on column license_types.prices_ore is 'The amounts of those prices that can come into force, in øre, in the same order.';
comment on column license_types.prices_valid_from is 'The starts of those prices; the price now is the one with the latest start that has come.';
comment on column license_types.search is 'What q searches, folded, separated by spaces: code and names.';
comment on column license_types.lifetime_cap is 'Most licenses of the type that one holder may ever have; null for no limit.';
comment on column license_types.tax_code is 'Bookkeeping code of the tax in its prices.';
comment on column license_types.tax_rate_permille is 'That tax as a share of the price without it, in per mille.';
comment on column license_types.retired_at is 'When it was retired, if it was.';

create table licenses (
    license_id uuid not null,
    order_id uuid not null,
    order_number text,
    line integer not null,
    customer_id uuid not null,
    status text not null,
    license_type text not null,
    category text not null,
    discipline text not null,
    role text not null,
    name_nb text not null,
    name_en text not null,
    club_id uuid not null,
    club_name text not null,
    activity_date date not null,
    activity_days integer default 1 not null,
    holder_name text not null,
    holder_birth_date date not null,
    holder_phone text,
    holder_email text,
    guardian jsonb,
    vehicle jsonb,
    price_ore bigint not null,
    search text default ''::text not null,
    issued_at timestamp with time zone not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    revoked_at timestamp with time zone,
    holder_id uuid,
    suspended_at timestamp with time zone,
    corrected_at timestamp with time zone,
    checked_in_at timestamp with time zone,
    checked_in_gate text,
    earliest_scan_at timestamp with time zone,
    earliest_scan_gate text,
    scan_count integer default 0 not null,
    scan_alert text,
    revocation_position bigint,
    holder_erased_at timestamp with time zone,
    constraint licenses_pkey PRIMARY KEY (license_id),
    constraint licenses_activity_days_check CHECK (((activity_days >= 1) AND (activity_days <= 31))),
    constraint licenses_days CHECK ((((activity_date >= '1900-01-01'::date) AND (activity_date <= '9999-12-31'::date)) AND ((holder_birth_date >= '1900-01-01'::date) AND (holder_birth_date <= '9999-12-31'::date))))
);
comment on table licenses is 'One row per issued license.';
comment on column licenses.license_id is 'Aggregate id of the license.';
comment on column licenses.order_id is 'Order that paid for it.';
comment on column licenses.order_number is 'Number of that order, when known.';
comment on column licenses.line is 'Line of that order.';
comment on column licenses.customer_id is 'User who placed that order.';
comment on column licenses.status is 'issued, checked_in, revoked or suspended; expiry by date is derived, not stored.';
comment on column licenses.license_type is 'Code of the license type.';
comment on column licenses.category is 'Category of the license type.';
comment on column licenses.discipline is 'Discipline of the license type.';
comment on column licenses.role is 'driver, codriver, companion or passenger.';
comment on column licenses.name_nb is 'Name of the license type in Norwegian, as sold.';
comment on column licenses.name_en is 'Name of the license type in English, as sold.';
comment on column licenses.club_id is 'Club that runs the activity.';
comment on column licenses.club_name is 'Name of that club, as sold.';
comment on column licenses.activity_date is 'First day it is valid (local date in Europe/Oslo).';
comment on column licenses.activity_days is 'Number of consecutive days it is valid.';
comment on column licenses.holder_name is 'Full name of the holder; personal data.';
comment on column licenses.holder_birth_date is 'Birth date of the holder; personal data.';
comment on column licenses.holder_phone is 'Phone of the holder; personal data.';
comment on column licenses.holder_email is 'E-mail of the holder; personal data.';
comment on column licenses.guardian is 'Guardian of a minor: {name, phone, consent}; personal data.';
comment on column licenses.vehicle is 'Vehicle of a driver; personal data.';
comment on column licenses.price_ore is 'Price paid in øre.';
comment on column licenses.search is 'What q searches, folded, separated by spaces: holder name and e-mail; order number and vehicle as letters and digits only; phone as country code and number; personal data.';
comment on column licenses.issued_at is 'When it was issued.';
comment on column licenses.created_at is 'When the first event of the license was recorded.';
comment on column licenses.updated_at is 'When the last event of the license was recorded.';
comment on column licenses.version is 'Sequence of the last applied event of the aggregate.';
comment on column licenses."position" is 'Log position of the last event that changed the row.';
comment on column licenses.revoked_at is 'When the license was revoked, if it was.';
comment on column licenses.holder_id is 'Keyed hash of the holder; null for licenses that are older than it.';
comment on column licenses.suspended_at is 'When the license was suspended, while it is.';
comment on column licenses.corrected_at is 'When holder or vehicle were corrected last.';
comment on column licenses.checked_in_at is 'When the holder was let in, by the first scan in the log.';
comment on column licenses.checked_in_gate is 'At which gate.';
comment on column licenses.earliest_scan_at is 'When the holder was let in, by the scan with the earliest time.';
comment on column licenses.earliest_scan_gate is 'At which gate.';
comment on column licenses.scan_count is 'Number of recorded scans.';
comment on column licenses.scan_alert is 'after_revocation or while_suspended, if the holder was let in nevertheless.';
comment on column licenses.revocation_position is 'Log position of the last event since it was revoked or suspended first; null for a license that never was.';
comment on column licenses.holder_erased_at is 'When its holder was forgotten; then it shows no holder and no vehicle.';

create table log_heads (
    projection text not null,
    "position" bigint not null,
    seen_at timestamp with time zone not null,
    constraint log_heads_pkey PRIMARY KEY (projection),
    constraint log_heads_position_check CHECK (("position" >= 0))
);
comment on table log_heads is 'How far the log itself has come, as the projector saw it: what is beyond is in no event. Written about once a second, rows or not.';
comment on column log_heads.projection is 'Name of the projection, for example licensing.';
comment on column log_heads."position" is 'Last position of the log, read after seen_at.';
comment on column log_heads.seen_at is 'This database''s clock just before the log was asked.';

create table order_timeline (
    entry_id uuid not null,
    order_id uuid not null,
    license_id uuid,
    event_type text not null,
    actor text,
    actor_role text,
    request_id text,
    facts jsonb not null,
    at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    constraint order_timeline_pkey PRIMARY KEY (entry_id)
);
comment on table order_timeline is 'What happened to orders and their licenses: one row per event.';
comment on column order_timeline.entry_id is 'The position of the event as a uuid.';
comment on column order_timeline.order_id is 'The order.';
comment on column order_timeline.license_id is 'The license, for an event of a license.';
comment on column order_timeline.event_type is 'What happened, for example OrderPaid.';
comment on column order_timeline.actor is 'Id of the user who did it, or process:<name>.';
comment on column order_timeline.actor_role is 'The role in which the user did it.';
comment on column order_timeline.request_id is 'The request that led to it.';
comment on column order_timeline.facts is 'What the event says, without personal data.';
comment on column order_timeline.at is 'When the log recorded it.';
comment on column order_timeline.version is 'Sequence of the event in its aggregate.';
comment on column order_timeline."position" is 'Position of the event in the log.';

create table orders (
    order_id uuid not null,
    order_number text not null,
    customer_id uuid not null,
    status text not null,
    total_ore bigint not null,
    currency text default 'NOK'::text not null,
    payment_provider text not null,
    payment_reference text,
    redirect_url text,
    lines jsonb not null,
    club_ids uuid[] not null,
    license_types text[] not null,
    activity_from date not null,
    activity_to date not null,
    search text default ''::text not null,
    paid_at timestamp with time zone,
    fulfilled_at timestamp with time zone,
    expires_at timestamp with time zone,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    activity_dates date[] default '{}'::date[] not null,
    captured_ore bigint default 0 not null,
    refunded_ore bigint default 0 not null,
    written_off_ore bigint default 0 not null,
    capture_failure text,
    refund_state text,
    refunds jsonb default '[]'::jsonb not null,
    constraint orders_pkey PRIMARY KEY (order_id),
    constraint orders_days CHECK (((activity_from >= '1900-01-01'::date) AND (activity_to <= '9999-12-31'::date) AND (activity_from <= activity_to) AND ((expires_at >= '1900-01-01 00:00:00+00'::timestamp with time zone) AND (expires_at <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)))),
    constraint orders_refund_state_check CHECK ((refund_state = ANY (ARRAY['pending'::text, 'failed'::text, 'refunded'::text])))
);
comment on table orders is 'One row per order, with its lines.';
comment on column orders.order_id is 'Aggregate id of the order.';
comment on column orders.order_number is 'Number a person can read aloud.';
comment on column orders.customer_id is 'User who placed the order.';
comment on column orders.status is 'placed, payment_pending, paid, fulfilled, capture_failed, cancelled, expired, refund_pending or refunded.';
comment on column orders.total_ore is 'Sum of the lines in øre, at the prices of the moment of ordering.';
comment on column orders.currency is 'ISO 4217 code, NOK.';
comment on column orders.payment_provider is 'Payment provider chosen by the customer, for example vipps.';
comment on column orders.payment_reference is 'Our reference at the provider; null before the payment is created.';
comment on column orders.redirect_url is 'Where the customer pays; null before the payment is created.';
comment on column orders.lines is 'Array of {line, license_type, name_nb, name_en, category, discipline, role, club_id, club_name, activity_date, activity_days, price_ore, holder:{name, birth_date, phone, email, guardian}, vehicle, license_id}; personal data.';
comment on column orders.club_ids is 'Distinct clubs of the lines; decides what an organizer may see.';
comment on column orders.license_types is 'Distinct license type codes of the lines.';
comment on column orders.activity_from is 'Earliest activity date of the lines (local date).';
comment on column orders.activity_to is 'Last day of the last activity of the lines, activity_days counted (local date).';
comment on column orders.search is 'What q searches, folded, separated by spaces: holder names and e-mails; order number and vehicles as letters and digits only; phones as country code and number; personal data.';
comment on column orders.paid_at is 'When the payment was confirmed.';
comment on column orders.fulfilled_at is 'When the last license was issued.';
comment on column orders.expires_at is 'When an unpaid order gives up.';
comment on column orders.created_at is 'When the order was placed.';
comment on column orders.updated_at is 'When the last event of the order was recorded.';
comment on column orders.version is 'Sequence of the last applied event of the aggregate.';
comment on column orders."position" is 'Log position of the last event that changed the row.';
comment on column orders.activity_dates is 'Each day of each line''s activity, once, in order (local dates).';
comment on column orders.captured_ore is 'What was collected in all, in øre.';
comment on column orders.refunded_ore is 'What of it was paid back, by the shop or in the portal of the provider, in øre.';
comment on column orders.written_off_ore is 'What of the total was given up, in øre.';
comment on column orders.capture_failure is 'Why the money can not be collected, until that is decided: partly_collected, reservation_gone or collected_too_much; else null.';
comment on column orders.refund_state is 'How far the money that has to go back is on its way; null if none has.';
comment on column orders.refunds is 'Lines whose money goes back or went back: line, amount_ore, state.';

create table parked_events (
    projection text not null,
    aggregate_type text not null,
    aggregate_id uuid not null,
    "position" bigint not null,
    event text not null,
    reason text not null,
    parked_at timestamp with time zone default now() not null,
    builds text[] default '{}'::text[] not null,
    constraint parked_events_pkey PRIMARY KEY (projection, "position")
);
comment on table parked_events is 'Events that could not be applied, and the later ones of the same aggregate queued behind them.';
comment on column parked_events.projection is 'Projection that could not apply the event.';
comment on column parked_events.aggregate_type is 'Aggregate type of the event, for example order.';
comment on column parked_events.aggregate_id is 'Aggregate that waits: all its later events are parked too.';
comment on column parked_events."position" is 'Position of the event in the log.';
comment on column parked_events.event is 'The recorded event as it travelled: JSON.';
comment on column parked_events.reason is 'Why it waits: an error class and message without row data, or that an earlier event waits.';
comment on column parked_events.parked_at is 'When it was parked.';
comment on column parked_events.builds is 'The builds of the projector that could not apply the event; a build that is not among them tries once.';

create table receipts (
    receipt_id uuid not null,
    receipt_number text not null,
    year integer not null,
    number bigint not null,
    kind text not null,
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
    happened_at timestamp with time zone not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    constraint receipts_pkey PRIMARY KEY (receipt_id),
    constraint receipts_kind_check CHECK ((kind = ANY (ARRAY['receipt'::text, 'credit_note'::text]))),
    constraint receipts_number_check CHECK ((number > 0))
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
comment on column receipts."position" is 'Log position of that event.';

create table suspensions (
    suspension_id uuid not null,
    kind text not null,
    status text not null,
    holder_id uuid,
    person_name text,
    person_birth_date date,
    vehicle jsonb,
    reason text not null,
    until date,
    lifted_at timestamp with time zone,
    lift_reason text,
    search text default ''::text not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    constraint suspensions_pkey PRIMARY KEY (suspension_id)
);
comment on table suspensions is 'Suspended people and vehicles. One row per suspension.';
comment on column suspensions.suspension_id is 'Aggregate id of the suspension.';
comment on column suspensions.kind is 'person or vehicle.';
comment on column suspensions.status is 'active or lifted. Expiry by date is not a status.';
comment on column suspensions.holder_id is 'Keyed hash of the person.';
comment on column suspensions.person_name is 'Full name of the person; personal data.';
comment on column suspensions.person_birth_date is 'Birth date of the person; personal data.';
comment on column suspensions.vehicle is 'The vehicle; personal data.';
comment on column suspensions.reason is 'Why, in the words of the person who decided; personal data.';
comment on column suspensions.until is 'Last day (local date); null until it is lifted.';
comment on column suspensions.lifted_at is 'When staff ended it.';
comment on column suspensions.lift_reason is 'Why staff ended it; personal data.';
comment on column suspensions.search is 'What q searches; personal data.';
comment on column suspensions.created_at is 'When it was imposed.';
comment on column suspensions.updated_at is 'When the last event of the suspension was recorded.';
comment on column suspensions.version is 'Sequence of the last applied event of the suspension.';
comment on column suspensions."position" is 'Log position of the last event that changed the row.';

create table terms (
    terms_id uuid not null,
    terms_version text not null,
    valid_from timestamp with time zone not null,
    title_nb text not null,
    title_en text not null,
    text_nb text not null,
    text_en text not null,
    declaration_nb text not null,
    declaration_en text not null,
    created_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    constraint terms_pkey PRIMARY KEY (terms_id),
    constraint terms_terms_version_key UNIQUE (terms_version),
    constraint terms_valid_from_check CHECK (((valid_from >= '1900-01-01 00:00:00+00'::timestamp with time zone) AND (valid_from <= '9999-12-31 23:59:59.999999+00'::timestamp with time zone)))
);
comment on table terms is 'One row per version of the terms.';
comment on column terms.terms_id is 'Follows from the terms and the name of the version.';
comment on column terms.terms_version is 'Name of the version, which orders accept.';
comment on column terms.valid_from is 'When it comes into force.';
comment on column terms.title_nb is 'Title in Norwegian (bokmål).';
comment on column terms.title_en is 'Title in English.';
comment on column terms.text_nb is 'Text in Norwegian (bokmål), in lines.';
comment on column terms.text_en is 'Text in English, in lines.';
comment on column terms.declaration_nb is 'What the customer declares, in Norwegian (bokmål).';
comment on column terms.declaration_en is 'What the customer declares, in English.';
comment on column terms.created_at is 'When it was published.';
comment on column terms.version is 'Sequence of its event in the aggregate of all terms.';
comment on column terms."position" is 'Log position of that event.';

create table users (
    user_id uuid not null,
    name text,
    email text,
    phone text,
    language text,
    roles text[],
    club_ids uuid[] not null,
    sessions_revoked_at timestamp with time zone,
    search text default ''::text not null,
    created_at timestamp with time zone not null,
    updated_at timestamp with time zone not null,
    version bigint not null,
    "position" bigint not null,
    constraint users_pkey PRIMARY KEY (user_id)
);
comment on table users is 'Users of whom the log knows something. One row per user.';
comment on column users.user_id is 'Id of the user; aggregate id of its events.';
comment on column users.name is 'Full name; personal data.';
comment on column users.email is 'E-mail address; personal data.';
comment on column users.phone is 'Phone; personal data.';
comment on column users.language is 'Language of letters, nb or en.';
comment on column users.roles is 'Roles that an administrator has given; null while those of tokens count.';
comment on column users.club_ids is 'Clubs that an organizer acts for.';
comment on column users.sessions_revoked_at is 'Tokens from before this moment are not accepted; null if none was revoked.';
comment on column users.search is 'What q searches; personal data.';
comment on column users.created_at is 'When the first event of the user was recorded.';
comment on column users.updated_at is 'When the last event of the user was recorded.';
comment on column users.version is 'Sequence of the last applied event of the user.';
comment on column users."position" is 'Log position of the last event that changed the row.';

CREATE INDEX batch_items_by_number ON public.batch_items USING btree (batch_id, n, item_id);

CREATE INDEX batches_by_position ON public.batches USING btree ("position", batch_id);

CREATE INDEX batches_by_submitted ON public.batches USING btree (submitted_at, batch_id);

CREATE INDEX clubs_by_name ON public.clubs USING btree (name COLLATE "nb-x-icu", club_id);

CREATE INDEX letters_by_created ON public.letters USING btree (created_at, letter_id);

CREATE INDEX letters_by_kind ON public.letters USING btree (kind, created_at, letter_id);

CREATE INDEX letters_by_order ON public.letters USING btree (order_id, created_at, letter_id);

CREATE INDEX letters_by_position ON public.letters USING btree ("position", letter_id);

CREATE INDEX letters_by_status ON public.letters USING btree (status, created_at, letter_id);

CREATE INDEX license_types_by_name ON public.license_types USING btree (name_nb COLLATE "nb-x-icu", license_type_id);

CREATE INDEX licenses_by_activity ON public.licenses USING btree (activity_date, license_id);

CREATE INDEX licenses_by_category ON public.licenses USING btree (category, created_at, license_id);

CREATE INDEX licenses_by_checked_in ON public.licenses USING btree ((
CASE
    WHEN (checked_in_at IS NULL) THEN 'false'::text
    ELSE 'true'::text
END), created_at, license_id);

CREATE INDEX licenses_by_club ON public.licenses USING btree (club_id, activity_date, license_id);

CREATE INDEX licenses_by_created ON public.licenses USING btree (created_at, license_id);

CREATE INDEX licenses_by_customer ON public.licenses USING btree (customer_id, created_at, license_id);

CREATE INDEX licenses_by_discipline ON public.licenses USING btree (discipline, created_at, license_id);

CREATE INDEX licenses_by_holder ON public.licenses USING btree (holder_id, created_at, license_id) WHERE (holder_id IS NOT NULL);

CREATE INDEX licenses_by_license_type ON public.licenses USING btree (license_type, created_at, license_id, role, category, discipline);

CREATE INDEX licenses_by_order ON public.licenses USING btree (order_id, line);

CREATE INDEX licenses_by_position ON public.licenses USING btree ("position", license_id);

CREATE INDEX licenses_by_revocation ON public.licenses USING btree (activity_date, revocation_position) WHERE (revocation_position IS NOT NULL);

CREATE INDEX licenses_by_role ON public.licenses USING btree (role, created_at, license_id);

CREATE INDEX licenses_by_search ON public.licenses USING gin (search gin_trgm_ops);

CREATE INDEX licenses_by_status ON public.licenses USING btree (status, created_at, license_id);

CREATE INDEX order_timeline_by_order ON public.order_timeline USING btree (order_id, "position", entry_id);

CREATE INDEX orders_by_activity ON public.orders USING btree (activity_from, order_id, activity_to);

CREATE INDEX orders_by_club ON public.orders USING gin (club_ids);

CREATE INDEX orders_by_created ON public.orders USING btree (created_at, order_id);

CREATE INDEX orders_by_customer ON public.orders USING btree (customer_id, created_at, order_id);

CREATE INDEX orders_by_last_day ON public.orders USING btree (activity_to);

CREATE INDEX orders_by_license_type ON public.orders USING gin (license_types);

CREATE INDEX orders_by_position ON public.orders USING btree ("position", order_id);

CREATE INDEX orders_by_provider ON public.orders USING btree (payment_provider, created_at, order_id);

CREATE INDEX orders_by_refund_state ON public.orders USING btree (refund_state, created_at, order_id) WHERE (refund_state IS NOT NULL);

CREATE INDEX orders_by_search ON public.orders USING gin (search gin_trgm_ops);

CREATE INDEX orders_by_status ON public.orders USING btree (status, created_at, order_id);

CREATE INDEX orders_by_total ON public.orders USING btree (total_ore, order_id);

CREATE INDEX parked_events_by_aggregate ON public.parked_events USING btree (projection, aggregate_type, aggregate_id, "position");

CREATE INDEX receipts_by_created ON public.receipts USING btree (created_at, receipt_id);

CREATE INDEX receipts_by_customer ON public.receipts USING btree (customer_id, created_at, receipt_id);

CREATE INDEX receipts_by_day ON public.receipts USING btree (happened_on, receipt_id);

CREATE INDEX receipts_by_kind ON public.receipts USING btree (kind, created_at, receipt_id);

CREATE INDEX receipts_by_number ON public.receipts USING btree (receipt_number, receipt_id);

CREATE INDEX receipts_by_order ON public.receipts USING btree (order_id, created_at, receipt_id);

CREATE INDEX receipts_by_position ON public.receipts USING btree ("position", receipt_id);

CREATE INDEX suspensions_by_created ON public.suspensions USING btree (created_at, suspension_id);

CREATE INDEX suspensions_by_position ON public.suspensions USING btree ("position", suspension_id);

CREATE INDEX users_by_created ON public.users USING btree (created_at, user_id);

CREATE INDEX users_by_position ON public.users USING btree ("position", user_id);

CREATE INDEX users_by_role ON public.users USING gin (roles);

CREATE INDEX users_by_search ON public.users USING gin (search gin_trgm_ops);
