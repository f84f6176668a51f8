import http from 'node:http';
import { once } from 'node:events';

/** An HTTP server on loopback whose answers a test gives. */
export async function serve(answers, onRequest, port = 0) {
  const requests = [];
  const server = http.createServer(async (req, res) => {
    let body = '';
    for await (const piece of req) body += piece;
    requests.push({ path: req.url, headers: req.headers, body });
    const [status, type, text, headers] = answers.length > 0 ? answers.shift() : onRequest(body);
    res.writeHead(status, { 'content-type': type, ...(status === 429 || status === 503 ? { 'retry-after': '0.05' } : {}), ...headers });
    res.end(text);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    requests,
    answers,
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => (server.closeAllConnections(), server.close()),
  };
}

/** Accepts events as emitter serve does. */
export async function serveSidecar(t) {
  const sidecar = await serve([], (body) => [202, 'application/json', JSON.stringify({ accepted: lines(body).length })]);
  t?.after(sidecar.close);
  sidecar.events = () => sidecar.requests.flatMap(({ body }) => lines(body));
  return sidecar;
}

const lines = (body) => body.split('\n').filter(Boolean).map((line) => JSON.parse(line));

export const asJSON = (value) => [200, 'application/json', JSON.stringify(value)];
export const asStream = (events, named = false) => [
  200,
  'text/event-stream',
  events.map((e) => (named ? `event: ${e.type}\n` : '') + `data: ${JSON.stringify(e)}\n\n`).join('') + (named ? '' : 'data: [DONE]\n\n'),
];

/** A provider that streams events and then waits, or ends. */
export async function serveStream(events, ends = false) {
  const open = new Set();
  const server = http.createServer((req, res) => {
    req.resume();
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of events) res.write((event.object ? '' : `event: ${event.type}\n`) + `data: ${JSON.stringify(event)}\n\n`);
    if (ends) res.end('data: [DONE]\n\n');
    else open.add(res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    end: () => open.forEach((res) => res.end('data: [DONE]\n\n')),
    destroy: () => open.forEach((res) => res.destroy()),
    close: () => (server.closeAllConnections(), server.close()),
  };
}
