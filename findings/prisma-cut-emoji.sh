#!/bin/bash
# Prisma encodes the tags of a query with encodeURIComponent, which takes no half of a character. A tag that was cut to a length,
# as 'name'.slice(0, 20), may end in half an emoji: then the query itself fails, and nothing is written.
#
# Seen with @prisma/client 7.10.0 and @prisma/sqlcommenter-query-tags 7.10.0 on 2026-11-29:
#   whole: written
#   cut: URIError: URI malformed
source "${BASH_SOURCE[0]%/*}/common.sh"
install_packages prisma@7.10.0 @prisma/client@7.10.0 @prisma/adapter-pg@7.10.0 @prisma/sqlcommenter-query-tags@7.10.0 pg@8.23.1
start_server

cat >schema.prisma <<'PRISMA'
generator client {
  provider = "prisma-client-js"
  output   = "./client"
}

datasource db {
  provider = "postgresql"
}

model Item {
  id   Int     @id @default(autoincrement())
  note String?

  @@map("item")
}
PRISMA
cat >write.js <<'JS'
const { PrismaPg } = require('@prisma/adapter-pg');
const { queryTags, withQueryTags } = require('@prisma/sqlcommenter-query-tags');
const { PrismaClient } = require('./client');

const prisma = new PrismaClient({
  adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }),
  comments: [queryTags()],
});
const write = (what, name) =>
  withQueryTags({ name }, () => prisma.item.create({ data: { note: what } })).then(
    () => console.log(`${what}: written`),
    (error) => console.log(`${what}: ${error.name}: ${error.message}`),
  );

(async () => {
  await write('whole', 'Ada 🚀');
  await write('cut', 'Ada 🚀'.slice(0, 5));
  await prisma.$disconnect();
})();
JS
# Its engine for migrations is a program from another server, which `generate` only looks for.
PRISMA_SCHEMA_ENGINE_BINARY=$FOLDER/package.json CHECKPOINT_DISABLE=1 PRISMA_HIDE_UPDATE_MESSAGE=1 \
    node_modules/.bin/prisma generate --no-hints --schema schema.prisma >generate.log 2>&1 || unavailable "prisma generate: $(tail -n 3 generate.log)"
same 'seen' "$(node write.js)" 'whole: written
cut: URIError: URI malformed'
same 'INSERTs that the server got' "$(statements '^INSERT' | wc -l)" 1
