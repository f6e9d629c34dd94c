-- writer::statement. $1..$13 as append_batch.sql; $14 per command: steps up to and with it; $15..$19 per step: command, scope, key, holder, at most; $20 commands whose claims are decided in turn; $21..$24 per data key: event, person, master key, wrapped; $25 per command: former hash.
select ordinal, outcome, position, response, epoch
from append_batch($1::text[], $2::text[], $3::bytea[], $4::text[], $5::integer[],
                  $6::integer[], $7::text[], $8::uuid[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[],
                  $14::integer[], $15::integer[], $16::text[], $17::text[], $18::uuid[], $19::integer[], $20::integer[],
                  $21::integer[], $22::uuid[], $23::text[], $24::bytea[], $25::bytea[])
