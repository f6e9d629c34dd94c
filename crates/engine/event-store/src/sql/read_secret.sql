-- vault::keeper. $1 name.
select master_key, wrapped from log_secrets where name = $1
