-- seal::table::Table::insert. $1..$8 as the columns. Inserts nothing if another sealer went on from the same seal first.
insert into log_seals (first_position, last_position, epoch, merkle_root, previous_seal_hash, sealed_at, signature, leaf_marks)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
