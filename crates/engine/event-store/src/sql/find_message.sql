-- Inbox::has. $1 source, $2 key.
select from inbox_messages where source = $1 and key = $2
