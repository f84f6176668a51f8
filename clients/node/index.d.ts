/** Fields of an event that an application may set; docs/events.md has their meaning. */
export interface Fields {
  request_id?: string;
  session_id?: string;
  tenant_id?: string;
  tenant_tier?: string;
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
  retrieval?: {
    index?: string;
    strategy?: string;
    query?: string;
    hit_count?: number;
    top_score?: number;
    latency_ms?: number;
    chunks?: Array<{ id?: string; text?: string; score?: number }>;
  };
  tools?: unknown;
  user_rating?: string | number;
  user_rating_min?: number;
  user_rating_max?: number;
  task_completed?: boolean;
  estimated_cost_usd?: number;
  cache_hit?: boolean;
  trace_context?: Record<string, string>;
}

export interface PublisherOptions {
  /** Address of the sidecar; default EVALWORKER_URL, else http://127.0.0.1:8788. */
  url?: string;
  /** Its token; default EVALWORKER_TOKEN. */
  token?: string;
  /** Events that wait at most; default 10,000. */
  maxEvents?: number;
  /** Characters of events that wait at most; default 64 Mi. */
  maxBytes?: number;
  /** Milliseconds for one request to the sidecar; default 10,000. */
  timeout?: number;
  /** Milliseconds that an event waits for others; default 100. */
  linger?: number;
}

export interface Stats {
  accepted: number;
  refused: number;
  dropped: number;
  retries: number;
  lastError: string;
}

export class Publisher {
  constructor(options?: PublisherOptions);
  readonly stats: Stats;
  readonly waiting: number;
  publish(event: Record<string, unknown>): boolean;
  flush(timeout?: number): Promise<boolean>;
  close(timeout?: number): Promise<boolean>;
}

export class Call {
  readonly requestId: string;
  event: Record<string, unknown>;
  firstToken(): void;
  finish(error?: unknown): void;
}

/** Lets a client publish every request that it makes, and returns it. */
export function wrap<T extends object>(client: T, fields?: Fields): T;
/** Runs fn; the fields hold for all requests inside, also behind awaits. */
export function scope<R>(fields: Fields, fn: () => R): R;
/** Publishes a request that no wrapper sees. */
export function observe<R>(fields: Fields & { input?: unknown }, fn: (call: Call) => R | Promise<R>): Promise<R>;
/** Publishes what a user thought of an answer. */
export function feedback(requestId: string, rating?: string | number, more?: Fields & { comment?: string; max?: number }): boolean;
/** Returns a middleware of the Vercel AI SDK. */
export function middleware(fields?: Fields): any;
/** Sets the publisher of the process and fields of all its events. */
export function configure(options?: Fields & { publisher?: Publisher }): Publisher;
export function publisher(): Publisher;
/** Resolves when the sidecar has everything; await it at the end of a serverless function and on SIGTERM. */
export function flush(timeout?: number): Promise<boolean>;

declare const evalworker: {
  wrap: typeof wrap;
  scope: typeof scope;
  observe: typeof observe;
  feedback: typeof feedback;
  middleware: typeof middleware;
  configure: typeof configure;
  publisher: typeof publisher;
  flush: typeof flush;
  Publisher: typeof Publisher;
  Call: typeof Call;
};
export default evalworker;
