// Emmett as its documentation has it: a store to append to, and a consumer with a projection in SQL. It applies a batch in
// one transaction, event by event, and stores its checkpoint after each.
import { rawSql, sql } from '@event-driven-io/dumbo';
import {
  getPostgreSQLEventStore,
  postgreSQLEventStoreConsumer,
  postgreSQLRawSQLProjection,
} from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

export const open = async (url) => {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  const store = getPostgreSQLEventStore(url, { connectionOptions: { pool } });
  await store.schema.migrate();
  return {
    // The first events of a stream.
    append: (stream, events) =>
      store.appendToStream(stream, events, { expectedStreamVersion: 'STREAM_DOES_NOT_EXIST' }),
    close: () => store.close(),
  };
};

const accounts = (applied) =>
  postgreSQLRawSQLProjection({
    name: 'accounts',
    canHandle: ['Opened', 'Booked'],
    evolve: ({ data, metadata }) => {
      applied.push(metadata.streamName);
      return sql(
        `insert into accounts (stream, balance, bookings, text, position) values (%L, %s, 1, %L, %s)
         on conflict (stream) do update set balance = accounts.balance + excluded.balance,
           bookings = accounts.bookings + 1, text = excluded.text, position = excluded.position`,
        metadata.streamName,
        data.amount,
        data.text,
        metadata.globalPosition.toString(),
      );
    },
    init: () =>
      rawSql(
        `create table if not exists accounts
           (stream text primary key, balance bigint, bookings bigint, text text, position bigint)`,
      ),
  });

// Projects from the beginning. `projected` is told each stream of an event, after the commit.
export const follow = async (url, batchSize, projected) => {
  const consumer = postgreSQLEventStoreConsumer({
    connectionString: url,
    pulling: { batchSize, pullingFrequencyInMs: 1 },
  });
  const applied = [];
  const projector = consumer.projector({ projection: accounts(applied), processorId: `accounts-${Date.now()}` });
  // It ends when the transaction has. It passes over events whose position is below one that it has seen, and the
  // consumer keeps quiet about errors: so what counts is what was applied, and an error ends everything.
  const { handle } = projector;
  projector.handle = async (messages, context) => {
    try {
      await handle(messages, context);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
      throw error;
    }
    projected(applied.splice(0));
  };
  await consumer.init();
  const ended = consumer.start();
  return {
    stop: async () => {
      await consumer.close();
      await ended;
    },
  };
};
