-- Tasks::postpone. $1 process, $2 aggregate id, $3 kind, $4 position, $5 due at, $6 why it failed; null if it did not: the attempts start at 0.
update process_tasks
set due_at = $5, last_error = $6, leased_until = null, attempts = case when $6::text is null then 0 else attempts end
where process = $1 and aggregate_id = $2 and kind = $3 and position = $4
