// Drizzle's own comments, and those of a package that patches it. A row's note is the package whose comment it should come
// with, as the table in docs/contexts.md has it; behind a colon, what else is being tried.
const { eq, sql } = require('drizzle-orm');
const { drizzle } = require('drizzle-orm/node-postgres');
const { pgTable, serial, text } = require('drizzle-orm/pg-core');
const pg = require('pg');
const { patchDrizzle } = require('@query-doctor/sqlcommenter-drizzle');
const { withRequestContext } = require('@query-doctor/sqlcommenter-drizzle/http');

const item = pgTable('item', { id: serial('id').primaryKey(), note: text('note') });
const tags = { userId: 7, route: "/customer's/:id", method: 'POST' };
const inRequest = (context, work) =>
  new Promise((resolve, reject) => withRequestContext(context, () => work().then(resolve, reject)));

async function own(client) {
  const db = drizzle({ client });
  const note = 'drizzle-orm';
  const [{ id }] = await db.insert(item).values({ note }).returning().comment(tags);
  await db.update(item).set({ note }).where(eq(item.id, id)).comment(tags);
  await db.transaction((tx) => tx.insert(item).values([{ note }, { note }]).comment(tags));
  await db.delete(item).where(eq(item.id, id)).comment(tags);
  await db.insert(item).values({ note: `${note}: text` }).comment("userId='7'");
}

async function patched(client) {
  const db = patchDrizzle(drizzle({ client }));
  const note = '@query-doctor/sqlcommenter-drizzle';
  await inRequest(tags, async () => {
    const [{ id }] = await db.insert(item).values({ note }).returning();
    await db.update(item).set({ note }).where(eq(item.id, id));
    await db.transaction((tx) => tx.insert(item).values({ note }));
    await db.execute(sql`INSERT INTO item (note) VALUES (${note})`);
    await db.delete(item).where(eq(item.id, id));
    // It leaves a statement alone that has a comment of another kind.
    await db.execute(sql`INSERT INTO item (note) VALUES (${`${note}: commented`}) /* a comment */`);
  });
  // A prepared statement keeps the tags of the request that prepared it.
  let prepared;
  await inRequest({ userId: 7 }, async () => {
    prepared = db.insert(item).values({ note: sql.placeholder('note') }).prepare('kept');
  });
  await inRequest({ userId: 8 }, () => prepared.execute({ note: `${note}: prepared` }));
}

(async () => {
  const client = new pg.Pool({ connectionString: process.env.DATABASE_URL });
  await own(client);
  await patched(client);
  await client.end();
})();
