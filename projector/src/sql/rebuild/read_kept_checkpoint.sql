-- rebuild::kept: how far the rows were that were live before the last swap. Binds: $1 projection text.
select position, epoch
from licensing_previous.checkpoints
where projection = $1
