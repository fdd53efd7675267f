// Transactions of node-postgres and Drizzle with the page's code, many at a time over few connections.
const { Pool } = require('pg');
const { drizzle } = require('drizzle-orm/node-postgres');
const { eq } = require('drizzle-orm');
const { pgTable, serial, text } = require('drizzle-orm/pg-core');
const plain = require('./pg-context.js');
const orm = require('./drizzle-context.js');

const pool = new Pool({ max: 5 });
const db = drizzle(pool);
const item = pgTable('item', { id: serial('id').primaryKey(), note: text('note') });

async function withPlain(i) {
  const note = `pg ${i} é '"\\ */ $1`;
  await plain.withContext(pool, { by: note }, async (client) => {
    await client.query('INSERT INTO item (note) VALUES ($1), ($1)', [note]);
    await client.query('SELECT pg_sleep(0.01)');
    await client.query('INSERT INTO item (note) VALUES ($1)', [note]);
  });
  await plain.withContext(pool, { by: 'rolled back' }, async (client) => {
    await client.query("INSERT INTO item (note) VALUES ('rolled back')");
    await client.query('SELECT 1/0');
  }).then(() => { throw new Error('no error'); }, (error) => { if (error.code !== '22012') throw error; });
  await pool.query("INSERT INTO item (note) VALUES ('none')");
}

async function withDrizzle(i) {
  const note = `drizzle ${i}`;
  await orm.withContext(db, { by: note }, (tx) => tx.insert(item).values([{ note }, { note }]));
  await orm.withContext(db, { by: `changed ${i}` }, (tx) =>
    tx.update(item).set({ note: `changed ${i}` }).where(eq(item.note, note)));
  await orm.withContext(db, { by: `deletechanged ${i}` }, (tx) => tx.delete(item).where(eq(item.note, `changed ${i}`)));
  await db.insert(item).values({ note: 'none' });
}

const numbers = Array.from({ length: 20 }, (_, i) => i);
Promise.all([...numbers.map(withPlain), ...numbers.map(withDrizzle)]).then(() => pool.end());
