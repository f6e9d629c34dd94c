-- write::copy::<ClubRow>: whole rows, none of which is there. No binds; the columns in this order.
copy clubs (
    club_id, name, search, created_at, updated_at, version, position)
from stdin (format binary)
