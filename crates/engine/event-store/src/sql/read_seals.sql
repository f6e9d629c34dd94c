-- seal::table::Table::seals_after. $1 after the seal that begins at this position, $2 most rows.
select first_position, last_position, epoch, merkle_root, previous_seal_hash, sealed_at, signature
from log_seals
where first_position > $1
order by first_position
limit $2
