// Appends first events of new streams at a steady rate, projects them in a thread of its own, and prints one JSON line of
// figures: how many were appended a second, how long after its commit an event was in the table, and how many never were.
// node visible.mjs <peer> <batch size> <events a second> <warm-up ms> <length ms>, with DATABASE_URL of a log that is empty,
// and PAYLOAD.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { quantile } from './quantile.mjs';

// So long nothing comes, and nothing more will: Emmett's consumer waits a second at most.
const PATIENCE_MS = 5_000;

const [peer, batchSize, rate, warmUp, length] = process.argv.slice(2);
const url = process.env.DATABASE_URL;
const { open, follow } = await import(`./peers/${peer}.mjs`);
// One clock for all threads.
const now = () => Number(process.hrtime.bigint()) / 1e6;

if (isMainThread) {
  const store = await open(url);
  const visible = new Map();
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  let heard = now();
  worker.on('message', ({ streams, at }) => {
    heard = now();
    streams.forEach((stream) => visible.set(stream, at));
  });
  const { committed, perSecond } = await appendSteadily(store);
  while (visible.size < committed.size && now() < heard + PATIENCE_MS) await sleep(10);
  const begin = Math.min(...committed.values()) + Number(warmUp);
  const latencies = [...committed]
    .filter(([stream, at]) => at >= begin && visible.has(stream))
    // It can be there before its writer hears that it is committed.
    .map(([stream, at]) => Math.max(0, visible.get(stream) - at))
    .sort((a, b) => a - b);
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(latencies, share));
  const missed = committed.size - visible.size;
  console.log(JSON.stringify({ per_second: perSecond, p50_ms: p50, p99_ms: p99, events: committed.size, missed }));
  process.exit(0);
} else {
  await follow(url, Number(batchSize), (streams) => parentPort.postMessage({ streams, at: now() }));
  parentPort.postMessage({ streams: [], at: now() });
}

// When each stream's event was committed, and how many were so a second.
async function appendSteadily(store) {
  const events = [{ type: 'Opened', data: JSON.parse(process.env.PAYLOAD) }];
  const lasts = Number(warmUp) + Number(length);
  const count = Math.floor((Number(rate) * lasts) / 1000);
  const committed = new Map();
  const appends = [];
  const begun = now();
  while (appends.length < count) {
    const due = Math.min(count, ((now() - begun) * Number(rate)) / 1000);
    while (appends.length < due) {
      const stream = `account-${randomUUID()}`;
      appends.push(store.append(stream, events).then(() => committed.set(stream, now())));
    }
    await sleep(1);
  }
  await Promise.all(appends);
  return { committed, perSecond: (count * 1000) / Math.max(lasts, now() - begun) };
}
