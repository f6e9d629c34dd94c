-- Inbox::remember. $1 source, $2 key.
insert into inbox_messages (source, key) values ($1, $2) on conflict do nothing
