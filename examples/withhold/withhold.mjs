// Withholds content at its source: what this leaves out never leaves the process.
import evalworker from 'evalworker';

const CONTENT = new Set(['input', 'output', 'expected', 'retrieval', 'tool_calls', 'tools', 'comment']);

/** Publishes no content of requests that concern health. */
class Withholding extends evalworker.Publisher {
  publish(event) {
    if (event.feature !== 'health') return super.publish(event);
    return super.publish(Object.fromEntries(Object.entries(event).filter(([name]) => !CONTENT.has(name))));
  }
}

evalworker.configure({ publisher: new Withholding() });

for (const feature of ['health', 'support']) {
  await evalworker.observe({ feature, input: 'my question' }, async () => 'the answer');
}
await evalworker.flush(5000);
