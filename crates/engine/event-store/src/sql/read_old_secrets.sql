-- vault::rotation. $1 the active master key.
select name, master_key, wrapped from log_secrets where master_key <> $1
