-- vault::rotation. $1 name, $2 as it was wrapped, $3 as it is wrapped now, $4 the active master key.
update log_secrets set wrapped = $3, master_key = $4 where name = $1 and wrapped = $2
