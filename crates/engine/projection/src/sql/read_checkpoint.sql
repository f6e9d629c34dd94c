-- checkpoint::read_state: how far the rows have come, at which event, and whether they are of another log. Also reads tables of an older schema, which a rebuild replaces. Binds: $1 projection text.
select position, epoch,
       decode(substr(to_jsonb(c) ->> 'fingerprint', 3), 'hex') as fingerprint,
       to_jsonb(c) ->> 'stale_since' is not null as stale
from checkpoints c
where projection = $1
