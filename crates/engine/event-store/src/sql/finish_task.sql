-- Tasks::finish. $1 process, $2 aggregate id, $3 kind, $4 position: a task that was planned again since stays.
delete from process_tasks where process = $1 and aggregate_id = $2 and kind = $3 and position = $4
