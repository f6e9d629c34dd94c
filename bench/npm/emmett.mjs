// Appends first events of new streams for a while, so many in flight, and prints one JSON line of figures.
// node emmett.mjs <connections> <in flight> <warm-up ms> <length ms>, with DATABASE_URL and PAYLOAD.
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';
import { randomUUID } from 'node:crypto';
import { quantile } from './quantile.mjs';

const [connections, inFlight, warmUp, length] = process.argv.slice(2).map(Number);
const url = process.env.DATABASE_URL;
const data = JSON.parse(process.env.PAYLOAD);
const pool = new pg.Pool({ connectionString: url, max: connections });
const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
await store.schema.migrate();

const begin = performance.now() + warmUp;
const end = begin + length;
const latencies = [];
const worker = async () => {
  for (;;) {
    const started = performance.now();
    await store.appendToStream(`account-${randomUUID()}`, [{ type: 'Opened', data }], {
      expectedStreamVersion: 'STREAM_DOES_NOT_EXIST',
    });
    const now = performance.now();
    if (now >= end) return;
    if (now >= begin) latencies.push(now - started);
  }
};
await Promise.all(Array.from({ length: inFlight }, worker));
latencies.sort((a, b) => a - b);
const [p50, p99] = [0.5, 0.99].map((share) => quantile(latencies, share));
console.log(JSON.stringify({ per_second: (latencies.length * 1000) / length, p50_ms: p50, p99_ms: p99 }));
await store.close();
process.exit(0);
