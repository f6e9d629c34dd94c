// Projects so many events of a log that is there, into an empty table, and prints one JSON line of figures.
// node project.mjs <peer> <batch size> <events>, with DATABASE_URL.
import assert from 'node:assert/strict';
import pg from 'pg';

const [peer, batchSize, events] = process.argv.slice(2);
const url = process.env.DATABASE_URL;
const { follow } = await import(`./peers/${peer}.mjs`);
const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query('drop table if exists accounts');

let projected = 0;
let enough;
const reached = new Promise((resolve) => (enough = resolve));
const begun = performance.now();
const following = await follow(url, Number(batchSize), (streams) => {
  projected += streams.length;
  if (projected >= Number(events)) enough(performance.now());
});
const seconds = ((await reached) - begun) / 1000;
const counted = projected;
await following.stop();
const { rows } = await client.query('select sum(bookings)::int as bookings from accounts');
assert.equal(rows[0].bookings, projected, 'events that are in the table');
console.log(JSON.stringify({ per_second: counted / seconds, p50_ms: null, p99_ms: null }));
process.exit(0);
