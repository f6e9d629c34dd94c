-- Log::claimed_at. $1 scope, $2 key.
select min(position) from claims where scope = $1 and key = $2
