-- import::Importer::record. $1 head, $2 process managers; $3..$10 per event: time, aggregate type and id, sequence, event type and version, payload, metadata; $11..$13 per release: scope, key, holder; $14..$18 per claim: event, scope, key, holder, at most; $19..$22 per data key: event, person, master key, wrapped.
select import_batch($1, $2::text[], $3::timestamptz[], $4::text[], $5::uuid[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[],
                    $11::text[], $12::text[], $13::uuid[], $14::integer[], $15::text[], $16::text[], $17::uuid[], $18::integer[],
                    $19::integer[], $20::uuid[], $21::text[], $22::bytea[])
