-- Tasks::reached. $1 process.
select position,
       case when marked_position = position then fingerprint end as fingerprint,
       case when marked_position = position then epoch end as epoch
from process_checkpoints where process = $1
