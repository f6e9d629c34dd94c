-- write::upsert::<OrderRow>: whole rows, new or newer than what is there. Binds: $1 rows json, an array of objects.
insert into orders as t (
    order_id, order_number, customer_id, status, total_ore, currency, payment_provider,
    payment_reference, redirect_url, lines, club_ids, license_types, activity_from, activity_to,
    activity_dates, search, captured_ore, refunded_ore, written_off_ore, capture_failure, paid_at,
    fulfilled_at, expires_at, created_at, updated_at, version, position)
select
    order_id, order_number, customer_id, status, total_ore, currency, payment_provider,
    payment_reference, redirect_url, lines, club_ids, license_types, activity_from, activity_to,
    activity_dates, search, captured_ore, refunded_ore, written_off_ore, capture_failure, paid_at,
    fulfilled_at, expires_at, created_at, updated_at, version, position
from json_to_recordset($1) as r (
    order_id uuid, order_number text, customer_id uuid, status text, total_ore bigint, currency
    text, payment_provider text, payment_reference text, redirect_url text, lines jsonb, club_ids
    uuid[], license_types text[], activity_from date, activity_to date, activity_dates date[], search
    text, captured_ore bigint, refunded_ore bigint, written_off_ore bigint, capture_failure text,
    paid_at timestamptz, fulfilled_at timestamptz, expires_at timestamptz, created_at timestamptz,
    updated_at timestamptz, version bigint, position bigint)
on conflict (order_id) do update set
    order_number = excluded.order_number, customer_id = excluded.customer_id, status =
    excluded.status, total_ore = excluded.total_ore, currency = excluded.currency, payment_provider
    = excluded.payment_provider, payment_reference = excluded.payment_reference, redirect_url =
    excluded.redirect_url, lines = excluded.lines, club_ids = excluded.club_ids, license_types =
    excluded.license_types, activity_from = excluded.activity_from, activity_to =
    excluded.activity_to, activity_dates = excluded.activity_dates, search = excluded.search,
    captured_ore = excluded.captured_ore, refunded_ore = excluded.refunded_ore, written_off_ore =
    excluded.written_off_ore, capture_failure = excluded.capture_failure, paid_at = excluded.paid_at,
    fulfilled_at = excluded.fulfilled_at, expires_at = excluded.expires_at, created_at =
    excluded.created_at, updated_at = excluded.updated_at, version = excluded.version, position =
    excluded.position
where t.position < excluded.position
