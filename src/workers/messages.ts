/** What the primary and its workers say to each other, and what a worker has measured. */

/** Where a gateway listens, as the worker that runs it found out. */
export interface Ports {
  readonly publicPort: number
  readonly adminPort: number
}

/** The metrics of one process, as prom-client's `getMetricsAsJSON` has them. */
export type Measured = readonly object[]

/** From a worker: it accepts requests; wants what all have measured; answers what it has measured itself. */
export type Report = { readonly ready: Ports } | { readonly wants: number } | { readonly question: number, readonly measured: Measured }

/** From the primary: stop; stop waiting; say what you have measured; this is what all have measured. */
export type Order = 'stop' | 'hurry' | { readonly question: number } | { readonly wanted: number, readonly measured: readonly Measured[] }
