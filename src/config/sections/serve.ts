/** `serve`, `proxy`, `log`, `metrics`: the listeners, how the gateway forwards, what it tells about it. */
import { duration } from './duration.js'
import { publicTls } from './public-tls.js'
import { tlsProperties } from './upstream-tls.js'

const timeout = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    read: { ...duration, default: '30s', description: 'How long a client may take to send a request head, and may pause while sending a body.' },
    write: { ...duration, default: '120s', description: 'How long a client may take no byte of an answer that is waiting for it. An event stream or an upgraded connection that is alive is never cut.' },
    idle: { ...duration, default: '120s', description: 'How long a kept-alive connection may wait for its next request.' },
  },
} as const

const limits = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    header_bytes: { type: 'integer', minimum: 1024, maximum: 65536, default: 16384, description: 'All header fields of one request together; 431 beyond it.' },
    header_fields: { type: 'integer', minimum: 10, maximum: 1000, default: 100, description: 'Number of header fields of one request; 431 beyond it.' },
    path_bytes: { type: 'integer', minimum: 256, maximum: 16384, default: 4096, description: 'Path of one request, without the query; 414 is answered as 400 beyond it.' },
    body_bytes: { type: 'integer', minimum: 0, default: 0, description: 'Body of a proxied request, 413 beyond it; 0 is no limit. A rule can say `upstream.max_body_bytes`.' },
    min_body_rate: { type: 'integer', minimum: 0, default: 1024, description: 'Bytes per second that a request body must bring, after `timeout.read`, while the gateway waits for it; 408 below it. Pauses of the upstream do not count. 0 is no minimum, for uploads that go on for as long as somebody has something to say.' },
    in_flight: { type: 'integer', minimum: 0, default: 5000, description: 'Requests that one process answers at the same time, event streams included and open WebSockets not; 503 at once, with `Retry-After`, for those beyond it: they would only wait until somebody gives up. 0 is no limit.' },
    connections: { type: 'integer', minimum: 1, default: 10000, description: 'Open client connections of one process; further ones are closed at once.' },
    connections_per_address: { type: 'integer', minimum: 0, default: 2000, description: 'Open connections of one client address (of IPv6 one /64) to one process; further ones are closed at once. A browser holds about six, so this is an office of hundreds. Trusted proxies are not limited; 0 is no limit.' },
  },
} as const

const cors = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    enabled: { type: 'boolean', default: false, description: 'Whether the gateway answers CORS preflights itself and adds CORS headers.' },
    allowed_origins: { type: 'array', items: { type: 'string', minLength: 1 }, default: [], description: 'Exact origins, or one `*.` label wildcard (`https://*.example.org`). `*` is refused together with `allow_credentials`.' },
    allowed_methods: { type: 'array', items: { type: 'string' }, default: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], description: 'Methods a preflight may ask for.' },
    allowed_headers: { type: 'array', items: { type: 'string' }, default: ['Authorization', 'Content-Type'], description: 'Request headers a preflight may ask for.' },
    exposed_headers: { type: 'array', items: { type: 'string' }, default: ['Content-Type'], description: 'Response headers that scripts may read.' },
    allow_credentials: { type: 'boolean', default: false, description: 'Whether cookies may be sent cross-origin.' },
    max_age: { type: 'integer', minimum: 0, default: 0, description: 'Seconds a browser may remember a preflight.' },
  },
} as const

export const serve = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    workers: {
      type: ['integer', 'string'], pattern: '^auto$', minimum: 1, maximum: 256, default: 1,
      description: 'Processes that share the listeners, for more than one core; `auto` is one per core. More than one need Redis. What says "of one process" is each worker\'s own.',
    },
    public: {
      type: 'object', additionalProperties: false, default: {},
      description: 'The listener for the open internet. `serve.proxy` is another name for it.',
      properties: {
        host: { type: 'string', default: '0.0.0.0', description: 'Address to listen on.' },
        port: { type: 'integer', minimum: 0, maximum: 65535, default: 4455, description: 'Port to listen on; 0 picks a free one.' },
        trusted_proxies: { type: 'array', items: { type: 'string', format: 'cidr' }, default: [], description: 'CIDRs of proxies in front of the gateway whose `X-Forwarded-*` is believed. Decides the client address everywhere.' },
        timeout,
        limits,
        drain: { ...duration, default: '30s', description: 'How long requests in flight may take to finish after SIGTERM.' },
        drain_wait: { ...duration, default: '0s', description: 'How long to go on accepting requests after SIGTERM while `/health/ready` already says 503, so that a load balancer notices.' },
        cors,
        tls: publicTls,
      },
    },
    admin: {
      type: 'object', additionalProperties: false, default: {},
      description: 'The listener for operators and for the apps\' own servers: flow documents, identities, health. `serve.api` is another name for it.',
      properties: {
        host: { type: 'string', default: '127.0.0.1', description: 'Address to listen on.' },
        port: { type: 'integer', minimum: 0, maximum: 65535, default: 4434, description: 'Port to listen on; 0 picks a free one.' },
        token: { type: 'string', minLength: 32, description: 'Bearer token that callers must send, except to `/health/*` and `/version`. Required when `host` is not loopback.' },
        timeout,
      },
    },
  },
} as const

export const proxy = {
  type: 'object', additionalProperties: false, default: {},
  description: 'Towards upstreams.',
  properties: {
    timeout: {
      type: 'object', additionalProperties: false, default: {},
      properties: {
        connect: { ...duration, default: '5s', description: 'Connecting to an upstream; 502 beyond it.' },
        response: { ...duration, default: '60s', description: 'Waiting for the head of an upstream\'s response; 504 beyond it.' },
        body: { ...duration, default: '0s', description: 'Longest pause inside an upstream\'s response body; `0s` is no limit, as event streams need.' },
      },
    },
    tls: {
      type: 'object', additionalProperties: false, default: {},
      description: 'How https upstreams are checked where a rule\'s `upstream.tls` does not say. Files are PEM, relative to the configuration, and read when rules are loaded.',
      properties: tlsProperties,
    },
    connections: { type: 'integer', minimum: 1, default: 256, description: 'Connections to one upstream origin from one process.' },
    keep_alive: { ...duration, default: '4s', description: 'How long an idle upstream connection is kept. Stay below the upstream\'s own idle timeout.' },
  },
} as const

export const metrics = {
  type: 'object', additionalProperties: false, default: {},
  description: 'What `/metrics` on the admin listener tells.',
  properties: {
    max_rules: { type: 'integer', minimum: 0, default: 200, description: 'Access rules, in file order, that are counted by themselves; requests that meet one of the others are counted together, as `other`.' },
  },
} as const

export const log = {
  type: 'object', additionalProperties: false, default: {},
  properties: {
    level: { enum: ['trace', 'debug', 'info', 'warning', 'warn', 'error', 'fatal', 'panic'], default: 'info', description: 'The least severe level that is written. A change takes effect at once.' },
    stall_warning: { ...duration, default: '1s', description: 'How long the process may stand still, serving nobody, before a line says so; `0s` is never.' },
    format: { enum: ['json', 'text'], description: '`text` is for reading. Without it: `text` on a terminal, `json` everywhere else.' },
  },
} as const
