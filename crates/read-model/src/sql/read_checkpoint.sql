-- checkpoint::read: how far the rows have come. Binds: $1 projection text.
select position, epoch
from checkpoints
where projection = $1
