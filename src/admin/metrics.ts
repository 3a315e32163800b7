/** What Prometheus reads of the process and its access rules. Read at each scrape; nothing is counted per request. */
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client'

import type { RuleList } from './rules.js'

/** Writes the metrics in Prometheus' text format. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
}

/** A registry of its own, so that several gateways in one process do not meet. */
export function createMetrics(rules: RuleList): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'oathgate_' })
  const registers = [registry]

  new Gauge({
    name: 'oathgate_access_rules', help: 'Access rules in force.', registers,
    collect() { this.set(rules.documents().length) },
  })
  new Gauge({
    name: 'oathgate_access_rules_loaded_timestamp_seconds', help: 'When the access rules in force were loaded.', registers,
    collect() { this.set(rules.status().loadedAt / 1000) },
  })
  new Gauge({
    name: 'oathgate_access_rules_reload_failed', help: '1 while what the repositories hold was refused and the last good rules stay in force.', registers,
    collect() { this.set(rules.status().error === undefined ? 0 : 1) },
  })
  return { contentType: registry.contentType, text: () => registry.metrics() }
}
