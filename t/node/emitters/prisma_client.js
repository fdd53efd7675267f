// Prisma's client for the model Item, put together as `prisma generate` does it, without that program and its 130 packages.
// The graph, three zeros, says of no argument that it is a parameter: each query is planned by itself.
const { getPrismaClient } = require('@prisma/client/runtime/client');
const { version } = require('@prisma/client/package.json');

const compiler = '@prisma/client/runtime/query_compiler_small_bg.postgresql';

exports.PrismaClient = getPrismaClient({
  previewFeatures: [],
  clientVersion: version,
  engineVersion: 'none',
  activeProvider: 'postgresql',
  inlineSchema: `
datasource db {
  provider = "postgresql"
}

model Item {
  id   Int     @id @default(autoincrement())
  note String?

  @@map("item")
}
`,
  runtimeDataModel: {
    models: {
      Item: {
        dbName: 'item',
        schema: null,
        fields: [{ name: 'id', kind: 'scalar', type: 'Int' }, { name: 'note', kind: 'scalar', type: 'String' }],
      },
    },
    enums: {},
    types: {},
  },
  parameterizationSchema: { strings: [], graph: 'AAAA' },
  compilerWasm: {
    getRuntime: async () => require(`${compiler}.js`),
    getQueryCompilerWasmModule: async () =>
      new WebAssembly.Module(Buffer.from(require(`${compiler}.wasm-base64.js`).wasm, 'base64')),
    importName: './query_compiler_small_bg.js',
  },
});
