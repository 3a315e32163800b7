/** Counts requests by the rule they met and what became of them. On the path of every request: a few additions, nothing made. */
import type { Registry } from 'prom-client'

import type { ExchangeState } from '../http/exchange.js'
import { decisionOf, outcomeOf, type Outcome } from './outcome.js'
import { createRuleLabels, type CurrentRules } from './rule-labels.js'
import { exposeCounter, exposeHistogram, newDistribution, observe, type Distribution, type Labels } from './series.js'

/** How a decision was asked for. */
export type DecisionVia = 'proxy' | 'upgrade' | 'decisions'

export interface RequestMetrics {
  /** A request or handshake of the public listener is over. `status` is absent when the client went away before its answer was whole. */
  ended(via: 'proxy' | 'upgrade', exchange: ExchangeState, status: number | undefined, durationMs: number): void
  /** The decision API has answered. */
  decided(exchange: ExchangeState): void
  /** Requests so far by rule id: those that met a rule of the set in force. */
  hits(): ReadonlyMap<string, number>
}

/** What is kept for one value of the label `rule`. */
interface RuleTally {
  readonly outcomes: Map<Outcome, OutcomeTally>
  readonly upstream: Map<string, Distribution>
}

interface OutcomeTally {
  /** By the first digit of the status. */
  readonly byStatus: Float64Array
  readonly durations: Distribution
}

/** Seconds. Most answers come in milliseconds, the slowest that are of interest in those of `proxy.timeout.response`. */
const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Series of rules that are no longer in force are dropped; at most `maxRules` rules have their own. */
export function createRequestMetrics(registry: Registry, rules: CurrentRules, maxRules: number): RequestMetrics {
  const byRule = createRuleLabels<RuleTally>(rules, maxRules, () => ({ outcomes: new Map(), upstream: new Map() }))
  const decisions = new Map<DecisionVia, Map<string, number>>()

  function countDecision(via: DecisionVia, exchange: ExchangeState): void {
    const result = decisionOf(exchange)
    if (result === undefined) return
    let counts = decisions.get(via)
    if (counts === undefined) decisions.set(via, counts = new Map())
    counts.set(result, (counts.get(result) ?? 0) + 1)
  }

  expose(registry, byRule.all, decisions)
  return {
    ended(via, exchange, status, durationMs) {
      const tally = byRule.of(exchange.ruleId)
      const outcome = outcomeOf(exchange, status)
      let counted = tally.outcomes.get(outcome)
      if (counted === undefined) tally.outcomes.set(outcome, counted = { byStatus: new Float64Array(6), durations: newDistribution(durationBounds) })
      const first = statusClass(status)
      counted.byStatus[first] = (counted.byStatus[first] as number) + 1
      observe(counted.durations, durationBounds, durationMs / 1000)

      countUpstream(tally, exchange)
      countDecision(via, exchange)
    },
    decided: exchange => { countDecision('decisions', exchange) },
    hits: () => new Map([...byRule.all()].map(([rule, tally]) => [rule, requestsOf(tally)])),
  }
}

/** As it is logged: 499 for a client that went away. Upstreams may answer with numbers that are no status; those share 0. */
function statusClass(status = 499): number {
  return status < 600 ? Math.trunc(status / 100) : 0
}

function countUpstream({ upstream }: RuleTally, { upstream: exchanged, failure }: ExchangeState): void {
  if (exchanged === undefined) return
  const result = failure?.code ?? (exchanged.status === undefined ? 'client_gone' : 'answered')
  let durations = upstream.get(result)
  if (durations === undefined) upstream.set(result, durations = newDistribution(durationBounds))
  observe(durations, durationBounds, exchanged.ms / 1000)
}

function requestsOf({ outcomes }: RuleTally): number {
  let sum = 0
  for (const { byStatus } of outcomes.values()) for (const count of byStatus) sum += count
  return sum
}

type Tallies = () => Iterable<readonly [rule: string, RuleTally]>

function expose(registry: Registry, tallies: Tallies, decisions: ReadonlyMap<DecisionVia, ReadonlyMap<string, number>>): void {
  exposeCounter(registry, {
    name: 'oathgate_http_requests_total', labelNames: ['rule', 'outcome', 'status'],
    help: 'Requests on the public listener by access rule, outcome and class of the status; of a client that went away, 4xx.',
  }, function* (): Iterable<readonly [Labels, number]> {
    for (const [rule, { outcomes }] of tallies()) {
      for (const [outcome, { byStatus }] of outcomes) {
        for (const [first, count] of byStatus.entries()) if (count > 0) yield [{ rule, outcome, status: `${first}xx` }, count]
      }
    }
  })
  exposeHistogram(registry, {
    name: 'oathgate_http_request_duration_seconds', labelNames: ['rule', 'outcome'], bounds: durationBounds,
    help: 'From the head of a request to the end of its answer; of a WebSocket, to the end of its handshake.',
  }, function* (): Iterable<readonly [Labels, Distribution]> {
    for (const [rule, { outcomes }] of tallies()) for (const [outcome, { durations }] of outcomes) yield [{ rule, outcome }, durations]
  })
  exposeHistogram(registry, {
    name: 'oathgate_upstream_duration_seconds', labelNames: ['rule', 'result'], bounds: durationBounds,
    help: 'From handing a request to an upstream to the end of that exchange: answered, given up because of an error (its code), or client_gone before there was an answer.',
  }, function* (): Iterable<readonly [Labels, Distribution]> {
    for (const [rule, { upstream }] of tallies()) for (const [result, durations] of upstream) yield [{ rule, result }, durations]
  })
  exposeCounter(registry, {
    name: 'oathgate_decisions_total', labelNames: ['via', 'result'],
    help: 'Decisions by access rules: allowed, or the code of the error that refused; asked for by proxied requests, WebSocket handshakes and the decision API.',
  }, function* (): Iterable<readonly [Labels, number]> {
    for (const [via, counts] of decisions) for (const [result, count] of counts) yield [{ via, result }, count]
  })
}
