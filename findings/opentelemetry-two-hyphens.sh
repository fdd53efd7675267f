#!/bin/bash
# OpenTelemetry's instrumentation of pg adds no trace to a text that has two hyphens in it anywhere, since they could begin a
# comment. Sequelize's bulkCreate writes values into the text: so what is in a row decides whether its INSERT has a trace.
#
# Seen with @opentelemetry/instrumentation-pg 0.77.0 and Sequelize 6.37.8 on 2026-11-29:
#   INSERT INTO "item" ("id","note") VALUES (DEFAULT,'Monday - Friday') RETURNING "id","note"; /*traceparent='00-…-01'*/
#   INSERT INTO "item" ("id","note") VALUES (DEFAULT,'Monday -- Friday') RETURNING "id","note";
source "${BASH_SOURCE[0]%/*}/lib/clients.sh"
install_packages @opentelemetry/api@1.10.0 @opentelemetry/instrumentation-pg@0.77.0 @opentelemetry/sdk-trace@3.1.0 pg@8.23.1 sequelize@6.37.8
start_server

cat >write.js <<'JS'
const { trace } = require('@opentelemetry/api');
const { PgInstrumentation } = require('@opentelemetry/instrumentation-pg');
const { TracerProvider } = require('@opentelemetry/sdk-trace');

const provider = new TracerProvider();
trace.setGlobalTracerProvider(provider);
new PgInstrumentation({ addSqlCommenterCommentToQueries: true }).setTracerProvider(provider);

const { DataTypes, Sequelize } = require('sequelize');
const db = new Sequelize(process.env.DATABASE_URL, { logging: false });
const Item = db.define('item', { note: DataTypes.TEXT }, { timestamps: false, freezeTableName: true });

(async () => {
  await Item.bulkCreate([{ note: 'Monday - Friday' }]);
  await Item.bulkCreate([{ note: 'Monday -- Friday' }]);
  await db.close();
})();
JS
node write.js
same 'the statements, with the ids shortened' "$(statements '^INSERT' | sed -E "s/'00-[0-9a-f]+-[0-9a-f]+-01'/'00-…-01'/")" \
    "INSERT INTO \"item\" (\"id\",\"note\") VALUES (DEFAULT,'Monday - Friday') RETURNING \"id\",\"note\"; /*traceparent='00-…-01'*/
INSERT INTO \"item\" (\"id\",\"note\") VALUES (DEFAULT,'Monday -- Friday') RETURNING \"id\",\"note\";"
