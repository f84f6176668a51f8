'use strict';

/** Returns the fields of an event that an answer has, in the form of any provider: the answer as it came, and what is read from it. */
function answerFields(body) {
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object') return { output: body };
  const fields = { output: body, ...tokenFields(body.usage ?? body.usageMetadata ?? body.usage_metadata ?? body) };
  const model = body.model ?? body.modelVersion ?? body.response?.modelId;
  if (typeof model === 'string') fields.model = model;
  const reason = finishReason(body);
  if (typeof reason === 'string') fields.finish_reason = reason;
  if (body.object === 'response' && body.status === 'failed') {
    fields.status = 'error';
    fields.error_type = body.error?.code;
  }
  return fields;
}

function finishReason(body) {
  if (body.object === 'response') return body.incomplete_details?.reason ?? body.status;
  const reason = body.choices?.[0]?.finish_reason ?? body.stop_reason ?? body.stopReason ?? body.candidates?.[0]?.finishReason ?? body.done_reason ?? body.finishReason;
  return reason?.unified ?? reason; // the AI SDK has it in one form for all providers, and the provider's own
}

/** Reads tokens. Anthropic and Bedrock count cached input apart; here it is part of the input, as everywhere else. */
function tokenFields(usage) {
  const count = (...names) => names.map((name) => usage?.[name]?.total ?? usage?.[name]).find(Number.isInteger);
  let input = count('prompt_tokens', 'input_tokens', 'inputTokens', 'promptTokens', 'promptTokenCount', 'prompt_eval_count');
  const output = count('completion_tokens', 'output_tokens', 'outputTokens', 'completionTokens', 'candidatesTokenCount', 'eval_count');
  if (input !== undefined) {
    for (const name of ['cache_read_input_tokens', 'cache_creation_input_tokens', 'cacheReadInputTokens', 'cacheWriteInputTokens']) input += count(name) ?? 0;
  }
  const total = count('total_tokens', 'totalTokens', 'totalTokenCount') ?? (input !== undefined && output !== undefined ? input + output : undefined);
  return { input_tokens: input, output_tokens: output, total_tokens: total };
}

module.exports = { answerFields };
