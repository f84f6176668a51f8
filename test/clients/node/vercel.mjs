// The Vercel AI SDK, with its provider for OpenAI.
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, generateText, jsonSchema, streamText, tool, wrapLanguageModel } from 'ai';
import { all, fails, fields, parameters, run, url } from './jobs.mjs';
import evalworker from 'evalworker'; // publishing

const openai = createOpenAI({ baseURL: url + '/v1', apiKey: 'none' });
const middleware = evalworker.middleware(fields); // publishing
const model = wrapLanguageModel({ model: openai.chat('small'), middleware }); // publishing
const tools = { lookup: tool({ inputSchema: jsonSchema(parameters) }) };

await run(async (kind, prompt) => {
  if (kind === 'stream') await all(streamText({ model, prompt }).textStream);
  else if (kind === 'tools') await generateText({ model, prompt, tools });
  else if (kind === 'error') await fails(generateText({ model, prompt }), APICallError);
  else await generateText({ model, prompt });
});
await evalworker.flush(30_000); // publishing
