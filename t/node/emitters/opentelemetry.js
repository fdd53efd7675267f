// What OpenTelemetry's instrumentation of pg adds to statements of pg itself and of what stands on it. A row's note is the
// package whose comment it should come with, as the table in docs/contexts.md has it; behind a colon, what else is being tried.
const { inTrace } = require('./tracing.js');
const pg = require('pg');

const url = process.env.DATABASE_URL;
const note = '@opentelemetry/instrumentation-pg';
const insert = 'INSERT INTO item (note) VALUES ($1)';
const literal = (text) => `INSERT INTO item (note) VALUES ('${text}')`;

async function plain(pool) {
  await pool.query(insert, [note]);
  await pool.query({ text: insert, values: [note] });
  await pool.query(literal(note));
  await pool.query(`${literal(note)};`);
  // One comment behind several statements.
  await pool.query(`${literal(note)}; ${literal(note)}`);
  await pool.query(`BEGIN; ${literal(note)}; ${literal(note)}; COMMIT;`);
  // Named statements and texts with two hyphens anywhere get no comment.
  await pool.query({ name: 'insert', text: insert, values: [`${note}: named`] });
  await pool.query(literal(`${note}: a -- b`));
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query({ name: 'insert2', text: insert, values: [`${note}: named, in a transaction`] });
  await client.query('COMMIT');
  client.release();
}

async function kysely(pool) {
  const { Kysely, PostgresDialect, sql } = require('kysely');
  const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
  const { id } = await db.insertInto('item').values({ note }).returning('id').executeTakeFirst();
  await db.updateTable('item').set({ note }).where('id', '=', id).execute();
  await db.transaction().execute((tx) => tx.insertInto('item').values({ note }).execute());
  await db.deleteFrom('item').where('id', '=', id).execute();
  const tags = sql.raw("/*route='%2Ftodo',userId='7'*/");
  await db.insertInto('item').values({ note: 'kysely' }).modifyEnd(tags).execute();
  await db.updateTable('item').set({ note: 'kysely' }).where('note', '=', 'kysely').modifyEnd(tags).execute();
}

async function pgPromise() {
  const pgp = require('pg-promise')();
  const db = pgp(url);
  await db.none(insert, [note]);
  await db.none(new pgp.ParameterizedQuery({ text: insert, values: [note] }));
  await db.none(pgp.helpers.concat([literal(note), literal(note)]));
  await db.tx((tx) => tx.none(insert, [note]));
  await db.none("INSERT INTO item (note) VALUES ($1) /*route='%2Ftodo',userId='7'*/", ['pg-promise']);
  await db.none("/*route='%2Ftodo',userId='7'*/ INSERT INTO item (note) VALUES ($1)", ['pg-promise']);
  pgp.end();
}

async function knex() {
  const db = require('knex')({ client: 'pg', connection: url });
  await db('item').insert({ note });
  await db.transaction((tx) => tx('item').insert({ note }));
  await db.destroy();
}

async function sequelize() {
  const { DataTypes, Sequelize } = require('sequelize');
  const db = new Sequelize(url, { logging: false });
  const Item = db.define('item', { note: DataTypes.TEXT }, { timestamps: false, freezeTableName: true });
  const row = await Item.create({ note });
  await Item.bulkCreate([{ note }, { note }]);
  await row.update({ note });
  await Item.upsert({ id: row.id, note });
  await db.transaction((transaction) => Item.create({ note }, { transaction }));
  await row.destroy();
  await Item.bulkCreate([{ note: `${note}: a -- b` }]);
  await db.close();
}

inTrace(async () => {
  const pool = new pg.Pool({ connectionString: url });
  await plain(pool);
  await kysely(pool);
  await pool.end();
  await pgPromise();
  await knex();
  await sequelize();
});
