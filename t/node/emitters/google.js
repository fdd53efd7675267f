// Google's commenters for Knex and Sequelize, in the middleware of a web server. A row's note is the package whose comment
// it should come with, as the table in docs/contexts.md has it.
const http = require('node:http');
const Module = require('node:module');

// They load OpenCensus, whose packages compile a program of their own, and ask it whether there is a trace.
const load = Module._load;
Module._load = function (name, ...rest) {
  return name.startsWith('@opencensus/') ? { tracer: {}, TraceContextFormat: class {} } : load.call(this, name, ...rest);
};

const Knex = require('knex');
const { DataTypes, Sequelize } = require('sequelize');
const { wrapMainKnexAsMiddleware } = require('@google-cloud/sqlcommenter-knex');
const { wrapSequelizeAsMiddleware } = require('@google-cloud/sqlcommenter-sequelize');

const url = process.env.DATABASE_URL;
const include = { client_timezone: true, db_driver: true, route: true };

async function knex(handle) {
  const middleware = wrapMainKnexAsMiddleware(Knex, include, {});
  const db = Knex({ client: 'pg', connection: url });
  const note = '@google-cloud/sqlcommenter-knex';
  await handle(middleware, async () => {
    await db('item').insert({ note });
    await db('item').where({ note }).update({ note });
    await db.transaction((tx) => tx('item').insert({ note }));
    await db.raw(`INSERT INTO item (note) VALUES ('${note}: a -- b')`);
  });
  await db.destroy();
}

async function sequelize(handle) {
  const db = new Sequelize(url, { logging: false });
  const middleware = wrapSequelizeAsMiddleware(db, include, {});
  const Item = db.define('item', { note: DataTypes.TEXT }, { timestamps: false, freezeTableName: true });
  const note = '@google-cloud/sqlcommenter-sequelize';
  await handle(middleware, async () => {
    const row = await Item.create({ note });
    await Item.bulkCreate([{ note }, { note }]);
    await row.update({ note });
    await db.transaction((transaction) => Item.create({ note }, { transaction }));
    await row.destroy();
    await Item.bulkCreate([{ note: `${note}: a -- b` }]);
  });
  await db.close();
}

// Runs work in a request behind a middleware, of a route that a framework has found.
async function handle(middleware, work) {
  const server = http.createServer((request, response) => {
    request.route = { path: "/customer's/:id" };
    middleware(request, response, () => work().then(() => response.end('done'), (error) => response.end(error.stack)));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`).then((response) => response.text());
  server.closeAllConnections();
  server.close();
  if (answer !== 'done') throw new Error(answer);
}

knex(handle).then(() => sequelize(handle));
