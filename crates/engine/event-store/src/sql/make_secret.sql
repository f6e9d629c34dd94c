-- vault::keeper. $1 name, $2 master key, $3 wrapped. The first instance's secret stays.
insert into log_secrets (name, master_key, wrapped) values ($1, $2, $3) on conflict (name) do nothing
