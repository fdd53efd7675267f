#!/bin/bash
# @query-doctor/sqlcommenter-drizzle writes its comment when Drizzle prepares a statement. One that is prepared in a request and
# run in others, which is what prepare() is for, says in all of them whose request was the first.
#
# Seen with @query-doctor/sqlcommenter-drizzle 0.6.0, drizzle-orm 0.45.4 and pg 8.23.1 on 2026-11-29: prepared by user 7 and run by
# user 8, the server gets
#   insert into "item" ("id", "note") values (default, $1)/*db_driver='drizzle',…,userId='7'*/
source "${BASH_SOURCE[0]%/*}/lib/clients.sh"
install_packages @query-doctor/sqlcommenter-drizzle@0.6.0 @opentelemetry/api@1.9.1 @opentelemetry/core@2.12.1 drizzle-orm@0.45.4 pg@8.23.1
start_server

cat >write.js <<'JS'
const { sql } = require('drizzle-orm');
const { drizzle } = require('drizzle-orm/node-postgres');
const { pgTable, serial, text } = require('drizzle-orm/pg-core');
const { Pool } = require('pg');
const { patchDrizzle } = require('@query-doctor/sqlcommenter-drizzle');
const { withRequestContext } = require('@query-doctor/sqlcommenter-drizzle/http');

const item = pgTable('item', { id: serial('id').primaryKey(), note: text('note') });
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
const db = patchDrizzle(drizzle(pool));
const request = (user, work) =>
  new Promise((resolve, reject) => withRequestContext({ userId: user }, () => work().then(resolve, reject)));

(async () => {
  let prepared;
  await request(7, async () => {
    prepared = db.insert(item).values({ note: sql.placeholder('note') }).prepare('insert_item');
    await prepared.execute({ note: 'by 7' });
  });
  await request(8, () => prepared.execute({ note: 'by 8' }));
  await request(8, () => db.insert(item).values({ note: 'by 8, not prepared' }));
  await pool.end();
})();
JS
node write.js
same 'the user in the comment of each statement' "$(statements '^insert' | grep -o "userId='[0-9]*'")" "userId='7'
userId='7'
userId='8'"
