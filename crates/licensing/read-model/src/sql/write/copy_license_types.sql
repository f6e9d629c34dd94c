-- write::copy::<LicenseTypeRow>: whole rows, none of which is there. No binds; the columns in this order.
copy license_types (
    license_type_id, code, category, discipline, role, name_nb, name_en, prices, prices_ore,
    prices_valid_from, min_age, max_age, max_days, status, search, created_at, updated_at, version,
    position)
from stdin (format binary)
