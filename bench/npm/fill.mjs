// Writes accounts of ten events each, by the peer's own means.
// node fill.mjs <peer> <events>, with DATABASE_URL and PAYLOAD.
import pg from 'pg';
import { randomUUID } from 'node:crypto';

const [peer, events] = process.argv.slice(2);
const url = process.env.DATABASE_URL;
const data = JSON.parse(process.env.PAYLOAD);
const { open } = await import(`./peers/${peer}.mjs`);
// What is measured comes later.
const store = await open(`${url}?options=-c%20synchronous_commit%3Doff`);

const account = [{ type: 'Opened', data }, ...Array.from({ length: 9 }, () => ({ type: 'Booked', data }))];
// One after the other: Emmett's consumer would pass over some of those that were appended at once.
for (let left = Math.ceil(Number(events) / account.length); left > 0; left -= 1) {
  await store.append(`account-${randomUUID()}`, account);
}
await store.close();
const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query('vacuum analyze');
await client.end();
process.exit(0);
