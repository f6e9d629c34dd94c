-- Staging::next. $1 work, $2 after which item.
select first, content from staged_chunks where work_id = $1 and first > $2 order by first limit 1
