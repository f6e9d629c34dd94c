-- write::copy::<LicenseRow>: whole rows, none of which is there. No binds; the columns in this order.
copy licenses (
    license_id, order_id, order_number, line, customer_id, status, license_type, category,
    discipline, role, name_nb, name_en, club_id, club_name, activity_date, activity_days,
    holder_name, holder_birth_date, holder_phone, holder_email, guardian, vehicle, price_ore,
    search, issued_at, created_at, updated_at, version, position)
from stdin (format binary)
