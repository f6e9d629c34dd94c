-- checkpoint::lock: keeps every process that would move the checkpoint out until this transaction ends. Binds: $1 projection text.
select position, epoch
from checkpoints
where projection = $1
for update
