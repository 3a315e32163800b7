/** Everything that the gateway measures of itself, in one registry: parts tell it through plain functions and know no Prometheus. */
import { Registry, collectDefaultMetrics } from 'prom-client'

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
}

/** A registry of its own, so that several gateways in one process do not meet. */
export function createMetrics({ rules, maxRules }: MetricsSettings): Metrics {
  const registry = new Registry()
  const requests = createRequestMetrics(registry, rules, maxRules)
  const store = createStoreMetrics(registry)
  const events = createEventMetrics(registry)
  return {
    requests, store, events,
    watch(state) {
      exposeState(registry, state)
      collectDefaultMetrics({ register: registry, prefix: 'oathgate_' })
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
    describe: () => registry.getMetricsAsArray() as unknown as MetricDescription[],
  }
}
