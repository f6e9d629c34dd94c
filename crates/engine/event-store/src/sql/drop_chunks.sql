-- Staging::remove. $1 work, $2 last item.
delete from staged_chunks where work_id = $1 and first <= $2
