/** What tracing is to the rest of the gateway: each part is given back as it was, traced. Nothing here loads OpenTelemetry. */
import type { FetchBounded } from '../access/outgoing.js'
import type { RuleSet } from '../access/rules.js'
import type { Handle, HandleUpgrade } from '../gateway.js'
import type { Hasher } from '../identity/password-hash.js'
import type { RequestMetrics } from '../metrics/requests.js'
import type { Forwarder } from '../proxy/forward.js'
import type { Upgrader } from '../proxy/upgrade.js'
import type { Store } from '../store/store.js'

export interface Tracing {
  /** A span for each request; everything else is a part of one, or is not traced. */
  requests(handle: Handle): Handle
  /** The same for the requests whose path begins so. */
  requestsBelow(path: string, handle: Handle): Handle
  /** The same for WebSocket handshakes, whose end `endings` learns of. */
  upgrades(handle: HandleUpgrade): HandleUpgrade
  endings(metrics: RequestMetrics): RequestMetrics
  /** A span for each handler of a rule that is asked. */
  rules(current: () => RuleSet): () => RuleSet
  /** A span for each exchange with an upstream, which is told of the trace. */
  forwarder(forwarder: Forwarder): Forwarder
  upgrader(upgrader: Upgrader): Upgrader
  /** A span for each request of the gateway's own to a service, which is told of the trace. */
  fetch(fetchBounded: FetchBounded): FetchBounded
  hasher(hasher: Hasher): Hasher
  store(store: Store): Store
  /** Sends what is left, as long as `tracing.timeout` at most. */
  close(): Promise<void>
}

/** Nothing is traced, and nothing is wrapped: it costs a request nothing. */
export const untraced: Tracing = {
  requests: handle => handle,
  requestsBelow: (_path, handle) => handle,
  upgrades: handle => handle,
  endings: metrics => metrics,
  rules: current => current,
  forwarder: forwarder => forwarder,
  upgrader: upgrader => upgrader,
  fetch: fetchBounded => fetchBounded,
  hasher: hasher => hasher,
  store: store => store,
  close: async () => undefined,
}
