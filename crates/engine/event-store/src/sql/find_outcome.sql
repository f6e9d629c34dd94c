-- Log::outcome. $1 scope, $2 idempotency key.
select request_hash, response, position from commands where scope = $1 and idempotency_key = $2
