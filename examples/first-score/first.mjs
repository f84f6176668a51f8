// Publishes two answers of a model. The object stands in for your model.
import evalworker from 'evalworker';

const answers = {
  'Where is my parcel?': JSON.stringify({ answer: 'It arrives today.', category: 'shipping', confidence: 0.9, citations: [], needs_human: false }),
  'May I send it back?': 'Yes, within 30 days.', // not the JSON that was asked for
};

for (const [question, answer] of Object.entries(answers)) {
  await evalworker.observe(async () => answer, { prompt_name: 'first_node', prompt_version: 'v1', input: question });
}

await evalworker.flush(5000);
console.log('accepted:', evalworker.stats().accepted);
