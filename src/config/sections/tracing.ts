/** `tracing`: whether and where it is told how long each stage of a request took. */
import { duration } from './duration.js'

export const tracing = {
  type: 'object', additionalProperties: false, default: {},
  description: 'Traces of requests, sent to an OpenTelemetry collector (OTLP over HTTP, protobuf). Off unless enabled, and then nothing of it is loaded.',
  properties: {
    enabled: { type: 'boolean', default: false, description: 'Whether requests are traced. A `traceparent` is passed on as it came when they are not.' },
    endpoint: { type: 'string', format: 'http-url', default: 'http://127.0.0.1:4318/v1/traces', description: 'Where spans are sent: the whole URL.' },
    headers: { type: 'object', additionalProperties: { type: 'string' }, default: {}, description: 'Header fields of these requests, such as a key of the service that takes them.' },
    sampling_ratio: { type: 'number', minimum: 0, maximum: 1, default: 1, description: 'Part of the traces begun here that is recorded. Of a trace that a trusted proxy has begun, the proxy decides.' },
    service_name: { type: 'string', minLength: 1, default: 'oathgate', description: 'What the spans are said to be of (`service.name`).' },
    timeout: { ...duration, default: '5s', description: 'How long sending one batch may take, repetitions included; also how long a stopping gateway waits for the last one.' },
    queue: { type: 'integer', minimum: 1, default: 2048, description: 'Spans that may wait to be sent; further ones are dropped.' },
  },
} as const
