-- changes::open: how far the rows are, how many events wait, and what a reader may do. Binds: $1 projection text, $2 the reader's last position bigint, $3 user_id uuid.
select c.position, c.epoch,
       (select count(*) from parked_events p where p.projection = $1) as parked,
       (select count(*) from parked_events p where p.projection = $1 and p.position <= $2) as parked_before,
       u.user_id, u.roles, u.club_ids, u.sessions_revoked_at
from (select 1) as one
left join checkpoints c on c.projection = $1
left join users u on u.user_id = $3
