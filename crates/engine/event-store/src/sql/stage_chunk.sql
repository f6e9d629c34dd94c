-- Staging::add. $1 work, $2 first item, $3 content.
insert into staged_chunks (work_id, first, content) values ($1, $2, $3)
