-- writer::append. $1..$5 per command: scope, key, hash, response, event count; $6..$12 per event: aggregate type and id, sequence, event type and version, payload, metadata.
select ordinal, outcome, position, response
from append_batch($1::text[], $2::text[], $3::bytea[], $4::text[], $5::integer[],
                  $6::text[], $7::uuid[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[])
