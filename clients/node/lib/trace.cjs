'use strict';

// Both tracers are found where they put themselves for all copies of their packages, so that nothing is loaded or looked for.
const OTEL = Symbol.for('opentelemetry.js.api.1');
const OTEL_SPAN = Symbol.for('OpenTelemetry Context Key SPAN');
const OTEL_SUPPRESS = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const HEADER = /^(traceparent|tracestate|b3|x-b3-.*|x-datadog-.*)$/i;

/** Returns the propagation headers of the span that is active in Datadog's or OpenTelemetry's tracer, if there is one. */
function traceContext() {
  try {
    return datadogHeaders() ?? otelHeaders();
  } catch {
    return undefined; // a tracer that is half set up must not reach the request
  }
}

function datadogHeaders() {
  const tracer = globalThis._ddtrace;
  const span = tracer?.scope?.()?.active?.();
  if (!span) return undefined;
  const headers = {};
  tracer.inject(span.context(), 'http_headers', headers);
  const own = Object.entries(headers).filter(([name, value]) => HEADER.test(name) && typeof value === 'string'); // and no baggage
  return own.length > 0 ? Object.fromEntries(own) : undefined;
}

function otelHeaders() {
  const span = globalThis[OTEL]?.context?.active()?.getValue(OTEL_SPAN)?.spanContext();
  if (!span || /^0*$/.test(span.traceId)) return undefined;
  const state = span.traceState?.serialize();
  const flags = (span.traceFlags ?? 0).toString(16).padStart(2, '0');
  return { traceparent: `00-${span.traceId}-${span.spanId}-${flags}`, ...(state && { tracestate: state }) };
}

/** Runs fn so that OpenTelemetry's instrumentation makes no span of the requests in it. */
function untraced(fn) {
  const context = globalThis[OTEL]?.context;
  return context ? context.with(context.active().setValue(OTEL_SUPPRESS, true), fn) : fn();
}

module.exports = { traceContext, untraced };
