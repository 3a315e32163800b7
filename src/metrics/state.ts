/** What is so at the moment of a scrape: gauges that are read from the running gateway, nothing is counted for them. */
import { Gauge, type Registry } from 'prom-client'

/** What can be asked of a gateway that runs. */
export interface GatewayState {
  readonly version: string
  readonly rules: {
    /** How many are in force. */
    readonly count: () => number
    readonly status: () => { readonly loadedAt: number, readonly error?: string }
  }
  /** `Store.ping`. */
  readonly pingStore: () => Promise<string | undefined>
  /** Open connections of the public listener. */
  readonly connections: () => Promise<number>
  /** Requests of the public listener that are being answered. */
  readonly inFlight: () => number
  /** Open WebSockets. */
  readonly tunnels: () => number
  /** Passwords that are being hashed, and that wait for it. */
  readonly hashing: () => { readonly running: number, readonly waiting: number }
  /** Milliseconds since 1970 when the first certificate expires: 0 while there is none yet, `Infinity` without TLS. */
  readonly certificateExpiry: () => number
}

export function exposeState(registry: Registry, state: GatewayState): void {
  const { version, rules, pingStore, connections, inFlight, tunnels, hashing, certificateExpiry } = state
  const gauge = (name: string, help: string, read: () => number | Promise<number>): unknown => new Gauge({
    name, help, registers: [registry],
    async collect() { this.set(await read()) },
  })

  new Gauge({ name: 'oathgate_build_info', help: 'Always 1; what runs.', labelNames: ['version', 'node'], registers: [registry] })
    .set({ version, node: process.version }, 1)
  gauge('oathgate_access_rules', 'Access rules in force.', rules.count)
  gauge('oathgate_access_rules_loaded_timestamp_seconds', 'When the access rules in force were loaded.', () => rules.status().loadedAt / 1000)
  gauge('oathgate_access_rules_reload_failed', '1 while what the repositories hold was refused and the last good rules stay in force.',
    () => rules.status().error === undefined ? 0 : 1)
  gauge('oathgate_store_up', '1 when the store answered this scrape and may be written to, else 0.', () => pingStore().then(() => 1, () => 0))
  gauge('oathgate_store_safe', '1 when the store is up and would keep accounts; 0 also when a Redis has come to evict them or to write no append-only file: then it gets no new ones.',
    () => pingStore().then(wrong => wrong === undefined ? 1 : 0, () => 0))
  gauge('oathgate_connections', 'Open client connections of the public listener, WebSockets included.', connections)
  gauge('oathgate_requests_in_flight', 'Requests of the public listener that are being answered; serve.public.limits.in_flight is the most there can be.', inFlight)
  gauge('oathgate_tunnels', 'Open WebSockets.', tunnels)
  gauge('oathgate_password_hashes_running', 'Passwords that are being hashed.', () => hashing().running)
  gauge('oathgate_password_hashes_waiting', 'Passwords that wait for their turn to be hashed.', () => hashing().waiting)
  gauge('oathgate_certificate_expiry_timestamp_seconds',
    'When the first certificate of the public listener expires; 0 while there is none yet, +Inf without TLS.', () => certificateExpiry() / 1000)
}
