// Measures what a wrapped call adds to a call of OpenAI's library, with the sidecar up and down: npm run bench (some seconds).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import OpenAI from 'openai';
import evalworker from 'evalworker';

const CALLS = 2000;
const SIDECAR = `
  const server = require('node:http').createServer(async (req, res) => {
    let events = 0;
    for await (const piece of req) events += piece.toString().split('\\n').length - 1;
    res.writeHead(202).end(JSON.stringify({ accepted: events }));
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

const answer = JSON.stringify({
  id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'word '.repeat(200) } }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});
const messages = [{ role: 'user', content: 'word '.repeat(200) }]; // with the answer 2 KB
const fetch = async () => new Response(answer, { headers: { 'content-type': 'application/json' } });
const client = () => new OpenAI({ apiKey: 'none', fetch });

const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];

async function measure(name, url) {
  evalworker.configure({ url, logger: { warn() {} } });
  const bare = client();
  const wrapped = evalworker.wrap(client(), { prompt_name: 'p' });
  const times = new Map([[bare, []], [wrapped, []]]);
  for (let i = -200; i < CALLS; i++) {
    for (const [each, list] of times) {
      const began = performance.now();
      await each.chat.completions.create({ model: 'm', messages });
      if (i >= 0) list.push(performance.now() - began);
    }
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5)); // the sender gets its turn
  }
  const [without, with_] = [...times.values()].map(median);
  console.log(`sidecar ${name}: ${(without * 1000).toFixed(0)} us a call, ${(with_ * 1000).toFixed(0)} us wrapped: ${((with_ - without) * 1000).toFixed(0)} us more`);
  await evalworker.close(url.endsWith(':9') ? 0 : 5000);
}

const sidecar = spawn(process.execPath, ['-e', SIDECAR], { stdio: ['ignore', 'pipe', 'inherit'] });
const [port] = await once(sidecar.stdout, 'data');
await measure('up', `http://127.0.0.1:${String(port).trim()}`);
await measure('down', 'http://127.0.0.1:9');
sidecar.kill();
