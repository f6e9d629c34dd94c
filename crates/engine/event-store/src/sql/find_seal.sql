-- seal::table::Table::seal_at. $1 the last seal that begins at or before this position.
select first_position, last_position, epoch, merkle_root, previous_seal_hash, sealed_at, signature, leaf_marks
from log_seals
where first_position <= $1
order by first_position desc
limit 1
