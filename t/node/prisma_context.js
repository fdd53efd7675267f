// The extension of docs/contexts.md in a Prisma client without Bemi's package, four requests at a time. There are more
// connections than can be in use: Prisma 6.7's query compiler gives one back before it has sent COMMIT, and a query that
// waited for it would run in the other's transaction.
const { PrismaPg } = require('@prisma/adapter-pg');
const { PrismaClient } = require('./prisma/client');
const { carryContext, withContext } = require('./prisma-context.js');

const plain = new PrismaClient({
  adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 20 }),
  transactionOptions: { maxWait: 120000, timeout: 120000 },
});
const prisma = carryContext(plain);

async function work(i) {
  const task = `extension ${i} é '"\\ */ $1`;
  const context = { by: task };
  const row = await withContext(context, () => prisma.todo.create({ data: { task } }));
  await withContext(context, () => prisma.todo.updateMany({ where: { id: row.id }, data: { isCompleted: true } }));
  await withContext(context, async () => {
    await prisma.todo.findFirst({ where: { id: row.id } });
    return prisma.todo.delete({ where: { id: row.id } });
  });
  await plain.$transaction(async (tx) => {
    await tx.$executeRaw`SELECT bemi.set_context(${JSON.stringify(context)}::jsonb)`;
    await tx.todo.create({ data: { task } });
  });
  await prisma.todo.create({ data: { task: 'none' } });
}

async function workSome(first) {
  for (let i = first; i < 20; i += 4) await work(i);
}

Promise.all([0, 1, 2, 3].map(workSome)).then(() => plain.$disconnect());
