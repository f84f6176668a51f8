/** Fields of an event that an application may set; docs/events.md has their meaning. */
export interface Fields {
  /** Id of one request, unique; in a scope it is that of the first request. Without it, one is made. */
  request_id?: string;
  session_id?: string;
  /** Short for session_id. */
  session?: string | number;
  tenant_id?: string;
  /** Short for tenant_id. */
  tenant?: string | number;
  tenant_tier?: string;
  /** The user's id. It leaves the process only as SHA-256, or HMAC with the key EVALWORKER_USER_KEY, in user_id_hash. */
  user?: string | number;
  user_id_hash?: string;
  service?: string;
  environment?: string;
  version?: string;
  feature?: string;
  prompt_name?: string;
  prompt_version?: string;
  prompt_variant?: string;
  prompt_environment?: string;
  provider?: string;
  model?: string;
  output_schema?: string;
  expected?: unknown;
  /** What a search found: this form, or what LangChain, LlamaIndex or a vector store returned. */
  retrieval?: Retrieval | readonly unknown[] | object;
  tools?: unknown;
  user_rating?: string | number | boolean;
  user_rating_min?: number;
  user_rating_max?: number;
  task_completed?: boolean;
  estimated_cost_usd?: number;
  cache_hit?: boolean;
  /** Propagation headers of the request's span; by default those of the active span of Datadog's or OpenTelemetry's tracer. */
  trace_context?: Record<string, string>;
  trace_id?: string;
  span_id?: string;
  llmobs?: { trace_id?: string; span_id?: string; source?: 'sdk' | 'otel' };
}

export interface Retrieval {
  index?: string;
  strategy?: string;
  query?: string;
  hit_count?: number;
  top_score?: number;
  latency_ms?: number;
  chunks?: ReadonlyArray<{ id?: string; text?: string; score?: number }>;
}

/** Fields that are known when the request is made. */
export interface CallFields extends Fields {
  input?: unknown;
  output?: unknown;
  tool_calls?: unknown;
  finish_reason?: string;
  status?: 'success' | 'error';
  error_type?: string;
  retry_count?: number;
  streaming?: boolean;
  input_tokens?: number;
  output_tokens?: number;
  total_tokens?: number;
  llm_latency_ms?: number;
  first_token_latency_ms?: number;
}

export type Event = Record<string, unknown>;

export interface PublisherOptions {
  /** Address of the sidecar; default EVALWORKER_URL, else http://127.0.0.1:8788. With "off" nothing is published. */
  url?: string;
  /** Its token; default EVALWORKER_TOKEN. */
  token?: string;
  /** Events that wait at most; default 10,000. */
  maxEvents?: number;
  /** Bytes of events that wait at most; default 64 MiB. */
  maxBytes?: number;
  /** Bytes of one event; a larger one goes without its content. Default 1,000,000. */
  maxEventBytes?: number;
  /** Milliseconds for one request to the sidecar; default 10,000. */
  timeout?: number;
  /** Milliseconds that an event waits for others; default 100. */
  linger?: number;
  /** Milliseconds that the natural end of a process waits for events; default 2,000, 0 for none. */
  exitTimeout?: number;
  /** Gets each event before it is sent and returns it, changed or not, or null to drop it. When it fails, the event goes without content. */
  prepare?: (event: Event) => Event | null | Promise<Event | null>;
  /** Gets warnings, at most one a minute of a kind; default process.emitWarning. `info`, if it is there, is told when an outage is over. */
  logger?: { warn(text: string): void; info?(text: string): void };
}

/** Counts since the start. published = accepted + rejected + dropped + filtered + waiting. */
export interface Stats {
  /** What the sidecar has safe. */
  accepted: number;
  /** What the sidecar will never take. */
  rejected: number;
  /** What did not fit into the queue or waited when the publisher was closed. */
  dropped: number;
  /** What the prepare hook has left out. */
  filtered: number;
  /** Events that went without content, because of their size or because the prepare hook failed. */
  withheld: number;
  /** Attempts after the first. */
  retries: number;
  /** Warnings in the sidecar's answers, such as of fields that it does not know; names that are no field and were left out, and ratings that the worker cannot read. */
  warnings: number;
  /** Events that wait, those under way included. */
  waiting: number;
  lastError: string;
  lastWarning: string;
}

export class Publisher {
  constructor(options?: PublisherOptions);
  readonly waiting: number;
  /** Queues an event; never waits and never throws. Returns false when it was dropped. */
  publish(event: Event): boolean;
  /** Resolves to true when the sidecar has answered for all events published before, and to false after timeout (5,000) milliseconds. */
  flush(timeout?: number): Promise<boolean>;
  /** Flushes, for timeout (5,000) milliseconds at most, and stops; what is left is dropped and counted. */
  close(timeout?: number): Promise<boolean>;
  stats(): Stats;
}

/** One request that is under way. */
export interface Call {
  readonly requestId: string;
  /** Sets fields of the event, such as output, input_tokens or retrieval. */
  set(fields: CallFields): this;
  /** Notes that the first piece of a streamed answer is there. */
  firstToken(): void;
  /** Publishes the request, once; observe does it. */
  finish(error?: unknown): void;
}

/** A middleware for wrapLanguageModel of the Vercel AI SDK. */
export interface Middleware {
  readonly specificationVersion: 'v3';
  wrapGenerate(options: any): Promise<any>;
  wrapStream(options: any): Promise<any>;
}

/** Lets a client of OpenAI's or Anthropic's library publish every request that it makes, and returns it. */
export function wrap<T extends object>(client: T, fields?: Omit<Fields, 'request_id'>): T;
/** Runs fn; the fields hold for all requests inside, also behind awaits. Scopes nest. */
export function scope<R>(fields: Fields, fn: () => R): R;
/** Runs fn and publishes it as a request; an async iterator or ReadableStream that it returns is published when it ends. */
export function observe<R>(fn: (call: Call) => R, fields?: CallFields): R;
/**
 * Publishes what a user thought of an answer: "up", "down", or a number with its max. The event repeats the prompt, session,
 * tenant, user and the like of the request, when it is one of the last 1,000 that this process published; `more` goes before them.
 */
export function feedback(requestId: string, rating?: string | number | boolean, more?: CallFields & { comment?: string; max?: number; min?: number }): boolean;
/** Returns the request id of an answer or a stream of a wrapped client. */
export function requestId(answer: unknown): string | undefined;
/** Returns a middleware of the Vercel AI SDK. */
export function middleware(fields?: Omit<Fields, 'request_id'>): Middleware;
/** Sets the publisher of the process, by its options or as it is, and fields of all its events. */
export function configure(options?: Omit<Fields, 'request_id'> & PublisherOptions & { publisher?: Publisher }): Publisher;
export function publisher(): Publisher;
/** Resolves to true when the sidecar has answered for all events published before, and to false after timeout (5,000) milliseconds. */
export function flush(timeout?: number): Promise<boolean>;
/** Flushes and stops; await it on SIGTERM. */
export function close(timeout?: number): Promise<boolean>;
export function stats(): Stats;
