// What all programs share and what has nothing to do with publishing: the requests to make, and a span for each.
import { readFileSync } from 'node:fs';
import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());

export const url = process.env.MODEL_URL;
export const fields = { feature: 'parcels', prompt_name: process.env.PROGRAM, prompt_version: 'v1', user: process.env.USER_ID };
export const parameters = { type: 'object', properties: { parcel: { type: 'string' } } };

/** Makes all requests, eight at a time; what a request throws and is not meant to ends the program. */
export async function run(ask) {
  const waiting = JSON.parse(readFileSync(process.env.JOBS, 'utf8')).values();
  const work = async () => {
    for (const { kind, question, traceparent } of waiting) {
      await context.with(propagation.extract(context.active(), { traceparent }), () => ask(kind, question));
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

/** Resolves when a request fails with an error of a class. */
export async function fails(request, type) {
  try {
    await request;
  } catch (error) {
    if (error instanceof type) return;
    throw error;
  }
  throw new Error('no error');
}

/** Resolves to the parts of a stream. */
export async function all(stream) {
  const parts = [];
  for await (const part of await stream) parts.push(part);
  return parts;
}
