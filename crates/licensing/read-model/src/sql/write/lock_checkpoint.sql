-- write::lock_checkpoint: keeps whoever would move it out until this transaction ends. Binds: $1 projection text.
select position, epoch
from checkpoints
where projection = $1
for update
