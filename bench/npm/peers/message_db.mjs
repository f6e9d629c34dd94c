// message-db as its clients use it (Eventide's, and those after "Practical Microservices"): messages of a category come in
// batches and are handled one by one, each by a statement of its own; every hundredth time the position is written, as a
// message, to a stream of the consumer.
import pg from 'pg';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

const CATEGORY = 'account';
const POSITION_EVERY = 100;
// The shortest that a timer can wait.
const POLL_MS = 1;

const WRITE = 'select message_store.write_message($1, $2, $3, $4, null, $5)';
const READ = 'select stream_name, data, global_position from message_store.get_category_messages($1, $2, $3)';
// It may see an event again after a crash.
const PROJECT = `insert into accounts (stream, balance, bookings, text, position) values ($1, $2, 1, $3, $4)
  on conflict (stream) do update set balance = accounts.balance + excluded.balance,
    bookings = accounts.bookings + 1, text = excluded.text, position = excluded.position
  where accounts.position < excluded.position`;

export const open = async (url) => {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  return {
    // The first events of a stream.
    append: async (stream, events) => {
      for (const [index, { type, data }] of events.entries()) {
        const values = [randomUUID(), stream, type, data, index - 1];
        await pool.query({ name: 'write', text: WRITE, values });
      }
    },
    close: () => pool.end(),
  };
};

// Projects from the beginning. `projected` is told each stream of an event, after the commit.
export const follow = async (url, batchSize, projected) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    `create table if not exists accounts
       (stream text primary key, balance bigint, bookings bigint, text text, position bigint)`,
  );
  const positions = `${CATEGORY}:position-${randomUUID()}`;
  let position = 0;
  let sinceWritten = 0;
  let running = true;
  const handle = async ({ stream_name: stream, data, global_position: at }) => {
    const { amount, text } = JSON.parse(data);
    await client.query({ name: 'project', text: PROJECT, values: [stream, amount, text, at] });
    position = Number(at);
    projected([stream]);
    sinceWritten += 1;
    if (sinceWritten === POSITION_EVERY) {
      await client.query({ name: 'write', text: WRITE, values: [randomUUID(), positions, 'Read', { position }, null] });
      sinceWritten = 0;
    }
  };
  const ended = (async () => {
    while (running) {
      const { rows } = await client.query({ name: 'read', text: READ, values: [CATEGORY, position + 1, batchSize] });
      for (const row of rows) await handle(row);
      if (rows.length === 0) await sleep(POLL_MS);
    }
  })();
  return {
    stop: async () => {
      running = false;
      await ended;
      await client.end();
    },
  };
};
