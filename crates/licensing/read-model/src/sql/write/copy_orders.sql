-- write::copy::<OrderRow>: whole rows, none of which is there. No binds; the columns in this order.
copy orders (
    order_id, order_number, customer_id, status, total_ore, currency, payment_provider,
    payment_reference, redirect_url, lines, club_ids, license_types, activity_from, activity_to,
    activity_dates, search, captured_ore, refunded_ore, written_off_ore, capture_failure, paid_at,
    fulfilled_at, expires_at, created_at, updated_at, version, position)
from stdin (format binary)
