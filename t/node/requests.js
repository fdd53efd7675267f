// Sends the requests of a JSON file, some at a time: node requests.js PORT FILE COUNT. Prints what comes back, as JSON in
// the order of the requests.
const fs = require('node:fs');

const [port, file, count] = process.argv.slice(2);
const requests = JSON.parse(fs.readFileSync(file, 'utf8'));
const answers = [];
let next = 0;

async function send() {
  while (next < requests.length) {
    const i = next++;
    const { method, path, user, body } = requests[i];
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { 'content-type': 'application/json', 'x-user': String(user) },
      body: body && JSON.stringify(body),
    });
    answers[i] = { status: response.status, text: await response.text() };
  }
}

Promise.all(Array.from({ length: Number(count) }, send)).then(() => console.log(JSON.stringify(answers)));
