-- writer::statement. $1..$5 per command: scope, key, hash, response, events up to and with it; $6..$13 per event: command, aggregate type and id, sequence, event type and version, payload, metadata; $14 per command: former hash.
select ordinal, outcome, position, response, epoch
from append_batch($1::text[], $2::text[], $3::bytea[], $4::text[], $5::integer[],
                  $6::integer[], $7::text[], $8::uuid[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[],
                  null, null, null, null, null, null, null, null, null, null, null, $14::bytea[])
