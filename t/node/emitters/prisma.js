// Prisma 7 with its plugins for comments. A row's note is the package whose comment it should come with, as the table in
// docs/contexts.md has it; behind a colon, what else is being tried.
const { PrismaPg } = require('@prisma/adapter-pg');
const { prismaQueryInsights } = require('@prisma/sqlcommenter-query-insights');
const { queryTags, withMergedQueryTags, withQueryTags } = require('@prisma/sqlcommenter-query-tags');
const { PrismaClient } = require('./prisma_client.js');

const name = '@prisma/sqlcommenter-query-tags';
const insights = '@prisma/sqlcommenter-query-insights';
const tags = { userId: '7', route: '/todo/:id', agent: "it's 100% a+b é" };

function connect(...comments) {
  return new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL }), comments });
}

// Every way to write that Prisma has.
async function write(prisma) {
  const note = name;
  const data = { note };
  const { id } = await prisma.item.create({ data });
  await prisma.item.createMany({ data: [data, data] });
  await prisma.item.createManyAndReturn({ data: [data] });
  await prisma.item.update({ where: { id }, data });
  await prisma.item.updateMany({ where: { id }, data });
  await prisma.item.upsert({ where: { id }, create: data, update: data });
  await prisma.$executeRaw`INSERT INTO item (note) VALUES (${note})`;
  await prisma.$executeRawUnsafe(`INSERT INTO item (note) VALUES ('${note}')`);
  await prisma.$queryRaw`INSERT INTO item (note) VALUES (${note}) RETURNING id`;
  await prisma.$transaction([prisma.item.create({ data }), prisma.item.create({ data })]);
  await prisma.$transaction(async (tx) => {
    await tx.item.create({ data });
    await tx.item.create({ data });
  });
  await prisma.item.delete({ where: { id } });
}

async function main() {
  const prisma = connect(queryTags());
  await withQueryTags(tags, () => write(prisma));
  // Keys that other emitters would have encoded, and values that no text can be.
  await withQueryTags({ userId: '7', 'k*': 'x', "it's": 'x', '': 'x' }, () => prisma.item.create({ data: { note: `${name}: keys` } }));
  await withQueryTags({ userId: '7', agent: 'a\0b' }, () => prisma.item.create({ data: { note: `${name}: no text` } }));
  await withQueryTags({ userId: 7, agent: '', none: undefined }, () => prisma.item.create({ data: { note: `${name}: types` } }));
  await withQueryTags({ userId: '7' }, () =>
    withMergedQueryTags({ step: 'two' }, () => prisma.item.create({ data: { note: `${name}: merged` } })));
  // What is awaited outside of withQueryTags has no tags, although it was made inside.
  let lazy;
  await withQueryTags(tags, async () => {
    lazy = prisma.item.create({ data: { note: `${name}: awaited outside` } });
  });
  await lazy;
  await prisma.$disconnect();

  const shapes = connect(prismaQueryInsights());
  await shapes.item.create({ data: { note: insights } });
  await shapes.$disconnect();
}

main();
