-- checkpoint::read_standing: how far the rows have come, at which event, and whether they are of another log. Binds: $1 projection text.
select position, epoch, fingerprint, stale_since is not null as stale
from checkpoints
where projection = $1
