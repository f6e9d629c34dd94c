-- Log::answers. $1 scopes, $2 keys.
select k.n, c.request_hash, c.response, c.position
from unnest($1::text[], $2::text[]) with ordinality as k (scope, key, n)
join commands c on c.scope = k.scope and c.idempotency_key = k.key
