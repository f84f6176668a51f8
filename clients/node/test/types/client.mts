import evalworker, { type CallFields, middleware, observe, Publisher, scope, wrap } from 'evalworker';
import Anthropic from '@anthropic-ai/sdk';
import { wrapLanguageModel } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import OpenAI, { AzureOpenAI } from 'openai';

// The types of a wrapped client are the client's own.
const openai: OpenAI = wrap(new OpenAI(), { prompt_name: 'p', user: 'alice' });
const azure: AzureOpenAI = wrap(new AzureOpenAI());
const anthropic: Anthropic = evalworker.wrap(new Anthropic());
const text: string | null = (await openai.chat.completions.create({ model: 'm', messages: [] })).choices[0].message.content;
for await (const piece of await openai.chat.completions.create({ model: 'm', messages: [], stream: true })) piece.choices[0].delta.content?.length;
const last: Anthropic.Message = await anthropic.messages.stream({ model: 'm', max_tokens: 1, messages: [] }).finalMessage();

// What observe and scope return is what the function returns.
const sync: number = observe(() => 1);
const later: Promise<string> = observe(async (call) => (call.set({ input_tokens: 1 }).firstToken(), call.requestId), { input: [1] });
const generated: AsyncGenerator<number> = observe(async function* () {
  yield 1;
});
const scoped: Promise<Anthropic.Message> = scope({ session_id: 's', retrieval: [{ pageContent: 'x' }] }, () => Promise.resolve(last));

const model = wrapLanguageModel({ model: new MockLanguageModelV3(), middleware: middleware({ feature: 'f' }) });
const publisher = new Publisher({ prepare: async (event) => (event.tenant_id ? event : null), logger: console });
evalworker.configure({ publisher, service: 'api' });
evalworker.configure({ url: 'http://localhost', prepare: (event) => event });
const rated: boolean = evalworker.feedback(evalworker.requestId(last) ?? 'r', 4, { max: 5, comment: 'good' });
const counts: number = evalworker.stats().dropped;
const fields: CallFields = { output: 'x', user_rating: true };

// @ts-expect-error: no field
wrap(openai, { promt_name: 'x' });
// @ts-expect-error: a request id is that of one request
wrap(openai, { request_id: 'x' });
// @ts-expect-error: no member of the client
openai.nothing;
// @ts-expect-error: the function comes first
observe({}, () => 1);

export { azure, counts, fields, generated, last, later, model, rated, scoped, sync, text };
