/** Tracing by OpenTelemetry. The one file that is loaded when, and only when, tracing is on. */
import { setTimeout as delay } from 'node:timers/promises'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace'

import { durationMs } from '../config/duration.js'
import type { Config } from '../config/schema.js'
import { version } from '../version.js'
import { tracedFetch, tracedForwarder, tracedUpgrader } from './outgoing.js'
import { createRequestSpans } from './requests.js'
import { createSpans } from './spans.js'
import { tracedHasher, tracedRules, tracedStore } from './stages.js'
import type { Tracing } from './tracing.js'

export interface TracingOptions {
  readonly config: Config['tracing']
  /** Who may continue a trace: `serve.public.trusted_proxies`. */
  readonly trustedProxies: readonly string[]
  readonly warn: (message: string) => void
}

/** An attribute longer than this is cut: paths and hosts are the client's. */
const maxAttributeLength = 1024

export function createTracing({ config, trustedProxies, warn }: TracingOptions): Tracing {
  const timeoutMs = durationMs(config.timeout)
  const exporter = new OTLPTraceExporter({ url: config.endpoint, headers: config.headers, timeoutMillis: timeoutMs })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': config.service_name, 'service.version': version, 'process.pid': process.pid }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.sampling_ratio) }),
    spanLimits: { attributeValueLengthLimit: maxAttributeLength },
    spanProcessors: [new BatchSpanProcessor({ exporter: telling(exporter, warn), maxQueueSize: config.queue, scheduledDelayMillis: 1000, exportTimeoutMillis: timeoutMs + 1000 })],
  })
  const spans = createSpans(provider.getTracer('oathgate', version))
  const requests = createRequestSpans(spans, trustedProxies)

  return {
    ...requests,
    rules: current => tracedRules(current, spans),
    forwarder: forwarder => tracedForwarder(forwarder, spans),
    upgrader: upgrader => tracedUpgrader(upgrader, spans),
    fetch: fetchBounded => tracedFetch(fetchBounded, spans),
    hasher: hasher => tracedHasher(hasher, spans),
    store: store => tracedStore(store, spans),
    async close() {
      const waiting = new AbortController()
      const sent = provider.shutdown().catch(() => undefined)
      await Promise.race([sent, delay(timeoutMs, undefined, { signal: waiting.signal }).catch(() => undefined)])
      waiting.abort()
    },
  }
}

/** The same exporter; what it can not send is dropped, and told of once, until it can send again. */
function telling(exporter: SpanExporter, warn: (message: string) => void): SpanExporter {
  let failing = false
  return {
    export(spans, done) {
      exporter.export(spans, ({ code, error }) => {
        const failed = code !== 0
        if (failed && !failing) warn(`traces can not be sent and are dropped: ${error?.message ?? 'the receiver does not say why'}`)
        if (!failed && failing) warn('traces are sent again')
        failing = failed
        done({ code: 0 })
      })
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}
