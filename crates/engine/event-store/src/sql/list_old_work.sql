-- Staging::older_than. $1 seconds, $2 limit.
select work_id from staged_chunks group by work_id
having max(staged_at) < clock_timestamp() - make_interval(secs => $1) limit $2
