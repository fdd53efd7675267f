// The five requests of the example: node dist/requests.js http://127.0.0.1:3000

const REQUESTS: [string, string, object][] = [
  ['POST', '/todo', { task: 'Sleep', isCompleted: false }],
  ['POST', '/todo', { task: 'Eat', isCompleted: false }],
  ['POST', '/todo', { task: 'Repeat', isCompleted: false }],
  ['PUT', '/todo/complete', { id: 26 }],
  ['DELETE', '/todo/27', { id: 27 }]
]

async function main(origin: string): Promise<void> {
  for (const [method, path, body] of REQUESTS) {
    const headers = { 'content-type': 'application/json', 'x-user-id': '187234' }
    const response = await fetch(origin + path, { method, headers, body: JSON.stringify(body) })
    console.log(`${method} ${path} ${JSON.stringify(body)}: ${response.status} ${await response.text()}`.trimEnd())
    if (!response.ok) process.exitCode = 1
  }
}

main(process.argv[2] ?? 'http://127.0.0.1:3000').catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
