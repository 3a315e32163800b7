/** Everything that the gateway measures of itself, in one registry: parts tell it through plain functions and know no Prometheus. */
import { AggregatorRegistry, Registry, collectDefaultMetrics } from 'prom-client'

import { createEventMetrics, type EventMetrics } from './events.js'
import { createRequestMetrics, type RequestMetrics } from './requests.js'
import type { CurrentRules } from './rule-labels.js'
import { exposeState, type GatewayState } from './state.js'
import { createStoreMetrics, type StoreMetrics } from './store.js'

export interface Metrics {
  readonly requests: RequestMetrics
  readonly store: StoreMetrics
  readonly events: EventMetrics
  /** Adds what is read from the gateway once it runs; called once. */
  watch(state: GatewayState): void
  /** In Prometheus' text format. */
  readonly contentType: string
  text(): Promise<string>
  /** What there is, in the order of the text. */
  describe(): readonly MetricDescription[]
}

export interface MetricDescription {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly labelNames: readonly string[]
}

export interface MetricsSettings {
  /** Asked from the first request on. */
  readonly rules: CurrentRules
  /** `metrics.max_rules`. */
  readonly maxRules: number
  /** Absent when this process is the gateway alone. */
  readonly fellows?: Fellows
}

/** Other processes behind the same port: a scrape reaches one of them and gets the metrics of all, each with a label `worker`. */
export interface Fellows {
  readonly id: number
  /** Offers what this process has measured to the others; the result resolves to what all have measured, this one included. */
  readonly share: (measure: () => Promise<readonly object[]>) => () => Promise<readonly (readonly object[])[]>
}

/** A registry of its own, so that several gateways in one process do not meet. */
export function createMetrics({ rules, maxRules, fellows }: MetricsSettings): Metrics {
  const registry = new Registry()
  const requests = createRequestMetrics(registry, rules, maxRules)
  const store = createStoreMetrics(registry)
  const events = createEventMetrics(registry)
  const ofAll = fellows?.share(async () => ofWorker(fellows.id, await registry.getMetricsAsJSON() as unknown as Measured[]))
  return {
    requests, store, events,
    watch(state) {
      exposeState(registry, state)
      collectDefaultMetrics({ register: registry, prefix: 'oathgate_' })
    },
    contentType: registry.contentType,
    text: async () => ofAll === undefined ? registry.metrics() : AggregatorRegistry.aggregate([...await ofAll()] as object[][]).metrics(),
    describe: () => registry.getMetricsAsArray() as unknown as MetricDescription[],
  }
}

/** As much as is needed of what prom-client writes down. */
interface Measured {
  readonly values: readonly { readonly labels: object }[]
}

/** With a label that keeps what workers counted apart, so that one that starts anew does not take from the others' counts. */
function ofWorker(id: number, measured: readonly Measured[]): object[] {
  const labelled = ({ labels, ...value }: { readonly labels: object }): object => ({ ...value, labels: { ...labels, worker: id } })
  return measured.map(metric => ({ ...metric, aggregator: 'sum', values: metric.values.map(labelled) }))
}
