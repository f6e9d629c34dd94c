-- Tasks::backlog. $1 process.
select kind, count(*), greatest(0, extract(epoch from now() - min(due_at)))::float8, min(position)
from process_tasks where process = $1 group by kind
