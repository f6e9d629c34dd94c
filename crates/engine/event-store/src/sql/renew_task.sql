-- Tasks::renew. $1 process, $2 aggregate id, $3 kind, $4 position, $5 attempts: no more than this claim's; $6 seconds it is held.
update process_tasks
set leased_until = now() + make_interval(secs => $6)
where process = $1 and aggregate_id = $2 and kind = $3 and position = $4 and attempts = $5 and leased_until is not null
returning position
