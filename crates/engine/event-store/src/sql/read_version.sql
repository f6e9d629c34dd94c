-- Log::version. $1 aggregate type, $2 aggregate id.
select max(sequence) from events where aggregate_type = $1 and aggregate_id = $2
