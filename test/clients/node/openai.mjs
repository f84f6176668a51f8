// OpenAI's library.
import OpenAI from 'openai';
import { all, fails, fields, parameters, run, url } from './jobs.mjs';
import evalworker from 'evalworker'; // publishing

let client = new OpenAI({ baseURL: url + '/v1', apiKey: 'none' });
client = evalworker.wrap(client, fields); // publishing

await run(async (kind, question) => {
  const chat = { model: 'small', messages: [{ role: 'user', content: question }] };
  if (kind.endsWith('tools')) chat.tools = [{ type: 'function', function: { name: 'lookup', parameters } }];
  if (kind === 'responses') await client.responses.create({ model: 'small', input: question });
  else if (kind === 'responses-stream') await all(client.responses.create({ model: 'small', input: question, stream: true }));
  else if (kind.startsWith('stream')) {
    const chunks = await all(client.chat.completions.create({ ...chat, stream: true, stream_options: { include_usage: true } }));
    if (chunks.at(-1).usage.total_tokens !== 17) throw new Error('no usage');
  } else if (kind === 'cancel') {
    const signal = AbortSignal.timeout(50);
    await fails(client.chat.completions.create(chat, { signal }), OpenAI.APIUserAbortError);
  } else if (kind === 'error') await fails(client.chat.completions.create(chat), OpenAI.BadRequestError);
  else if (kind === 'feedback') {
    const answer = await client.chat.completions.create(chat);
    evalworker.feedback(evalworker.requestId(answer), 'up'); // rating
  } else await client.chat.completions.create(chat);
});
await evalworker.flush(30_000); // publishing
