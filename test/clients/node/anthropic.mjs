// Anthropic's library.
import Anthropic from '@anthropic-ai/sdk';
import { fails, fields, parameters, run, url } from './jobs.mjs';
import evalworker from 'evalworker'; // publishing

let client = new Anthropic({ baseURL: url, apiKey: 'none' });
client = evalworker.wrap(client, fields); // publishing

await run(async (kind, question) => {
  const chat = { model: 'small', max_tokens: 100, messages: [{ role: 'user', content: question }] };
  if (kind.endsWith('tools')) chat.tools = [{ name: 'lookup', input_schema: parameters }];
  if (kind.startsWith('stream')) await client.messages.stream(chat).finalMessage();
  else if (kind === 'cancel') {
    for await (const _ of await client.messages.create({ ...chat, stream: true })) break; // left before its end
  } else if (kind === 'error') await fails(client.messages.create(chat), Anthropic.BadRequestError);
  else await client.messages.create(chat);
});
await evalworker.flush(30_000); // publishing
