// Express: PORT=8000 node server.mjs
import { randomUUID } from 'node:crypto';
import evalworker from 'evalworker';
import express from 'express';
import OpenAI from 'openai';

const model = evalworker.wrap(new OpenAI(), { feature: 'support', prompt_name: 'triage', prompt_version: 'v3' });

const app = express();
app.use(express.json());
app.use((req, res, next) => evalworker.scope({ session: req.get('x-session'), user: req.get('x-user') }, next));

app.post('/ask', async (req, res) => {
  const request_id = randomUUID(); // chosen here, because a user's feedback needs it
  try {
    const completion = await evalworker.scope({ request_id }, () =>
      model.chat.completions.create({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: req.body.question }] }),
    );
    res.json({ answer: completion.choices[0].message.content, request_id });
  } catch {
    res.status(502).json({ error: 'the model does not answer' }); // published too, as an error
  }
});

const server = app.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => console.log('listens'));
process.once('SIGTERM', () => server.close(() => evalworker.close(5000))); // when the last request has ended
