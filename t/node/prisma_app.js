// A to-do app with Express and Prisma, as the documentation of @bemi-db/prisma has it. Prints its port.
const express = require('express');
const { PrismaPg, withBemiExtension, bemiMiddleware, mergeBemiContext } = require('@bemi-db/prisma');
const { PrismaClient } = require('./prisma/client');

const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 10 });
// On a slow machine Prisma would give up on a transaction after two seconds, and lose its connection.
const transactionOptions = { maxWait: 120000, timeout: 120000 };
const prisma = withBemiExtension(new PrismaClient({ adapter, transactionOptions }));

const app = express();
app.use(express.json());
app.use(bemiMiddleware((req) => ({
  userId: Number(req.headers['x-user']),
  endpoint: req.url,
  params: req.body,
})));

const answer = (handler) => async (req, res) => res.json(await handler(req));
const where = (req) => ({ id: Number(req.params.id) });

app.get('/todo', answer(() => prisma.todo.findMany({ take: 3 })));
app.post('/todo', answer((req) => prisma.todo.create({ data: req.body })));
app.post('/todo/many', answer((req) => prisma.todo.createMany({ data: req.body.rows })));
app.post('/todo/complete', answer((req) =>
  prisma.todo.updateMany({ where: { id: { in: req.body.ids } }, data: { isCompleted: true } })));
app.put('/todo/:id', answer((req) =>
  prisma.todo.upsert({ where: where(req), create: { ...where(req), ...req.body }, update: req.body })));
app.patch('/todo/:id', answer((req) => prisma.todo.update({ where: where(req), data: req.body })));
app.delete('/todo/:id', answer((req) => prisma.todo.delete({ where: where(req) })));
app.post('/todo/clear', answer((req) => prisma.todo.deleteMany({ where: { id: { in: req.body.ids } } })));
app.post('/todo/raw', answer((req) =>
  prisma.$executeRaw`UPDATE todo SET task = ${req.body.task} WHERE id = ${req.body.id}`));
app.post('/todo/merge', answer(async (req) => {
  mergeBemiContext({ merged: true });
  const row = await prisma.todo.create({ data: req.body }); // it runs when it is awaited, and so in this function
  return row;
}));
app.post('/todo/two', answer(async (req) => {
  await prisma.todo.create({ data: { task: `${req.body.task} first` } });
  await prisma.todo.findFirst();
  return prisma.todo.create({ data: { task: `${req.body.task} second` } });
}));

// A write outside of every request.
prisma.todo.create({ data: { task: 'at the start' } }).then(() => {
  const server = app.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
});
