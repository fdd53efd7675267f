#!/bin/bash
# With addSqlCommenterCommentToQueries, OpenTelemetry's instrumentation of pg hands on a copy of a query that is an object, which has
# its properties and none of its methods. A cursor of pg-cursor (so streams of Kysely) is then an ordinary query to pg: all of
# its rows are fetched, and what comes back has no read().
#
# Seen with @opentelemetry/instrumentation-pg 0.77.0, pg 8.23.1 and pg-cursor 2.22.1 on 2026-11-29: without the option "3 rows", with
# it "TypeError: cursor.read is not a function".
source "${BASH_SOURCE[0]%/*}/lib/clients.sh"
install_packages @opentelemetry/api@1.10.0 @opentelemetry/instrumentation-pg@0.77.0 @opentelemetry/sdk-trace@3.1.0 pg@8.23.1 pg-cursor@2.22.1
start_server

cat >read.js <<'JS'
const { trace } = require('@opentelemetry/api');
const { PgInstrumentation } = require('@opentelemetry/instrumentation-pg');
const { TracerProvider } = require('@opentelemetry/sdk-trace');

const provider = new TracerProvider();
trace.setGlobalTracerProvider(provider);
new PgInstrumentation({ addSqlCommenterCommentToQueries: process.argv[2] === 'true' }).setTracerProvider(provider);

const { Client } = require('pg');
const Cursor = require('pg-cursor');

async function read() {
  const client = new Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  const cursor = client.query(new Cursor('SELECT generate_series(1, 5) AS n'));
  return `${(await cursor.read(3)).length} rows`;
}

read()
  .catch((error) => `${error.name}: ${error.message}`)
  .then((seen) => {
    console.log(seen);
    process.exit();
  });
JS
same 'without the option' "$(node read.js false)" '3 rows'
same 'with it' "$(node read.js true)" 'TypeError: cursor.read is not a function'
