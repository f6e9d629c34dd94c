-- Log::claim_owners. $1 scope, $2 keys.
select key, array_agg(holder order by slot) from claims where scope = $1 and key = any ($2) group by key
