-- What a user may do. Binds: $1 user_id uuid.
select roles, club_ids, sessions_revoked_at
from users
where user_id = $1
