// Withholds content at its source: what this leaves out never leaves the process.
import evalworker from 'evalworker';

evalworker.configure({
  prepare: (event) => {
    if (event.feature === 'internal') return null; // is not published at all
    if (event.feature !== 'health') return event;
    const { input, output, expected, retrieval, tool_calls, tools, comment, ...rest } = event;
    return { ...rest, content_withheld: 'health' };
  },
});

for (const feature of ['internal', 'health', 'support']) {
  await evalworker.observe(() => 'the answer', { feature, input: 'my question' });
}
