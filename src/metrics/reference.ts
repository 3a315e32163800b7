/** `docs/metrics.md`, made from the metrics themselves. */
import { createMetrics, type MetricDescription } from './metrics.js'

/** Every metric with its type, its labels and what it says. */
export function metricsReference(): string {
  const metrics = createMetrics({ rules: () => ({ ids: [] }), maxRules: 0 })
  metrics.watch({
    version: '', rules: { count: () => 0, status: () => ({ loadedAt: 0 }) },
    pingStore: () => Promise.resolve(undefined), connections: () => Promise.resolve(0), inFlight: () => 0, tunnels: () => 0, hashing: () => ({ running: 0, waiting: 0 }),
    certificateExpiry: () => Infinity,
  })
  const described = metrics.describe()
  const ofProcess = described.filter(({ name }) => /^oathgate_(process|nodejs)_/.test(name))
  return `${introduction}\n${table(described.filter(metric => !ofProcess.includes(metric)))}\n${ofNode}\n${table(ofProcess)}`
}

const introduction = `# Metrics

What \`GET /metrics\` on the admin listener says, made from the code (\`oathgate docs metrics\`). A histogram has the series
\`_bucket\` (with the label \`le\`), \`_sum\` and \`_count\`.

No label holds anything that a client chooses. \`rule\` is the id of a rule in force; \`""\` where no rule was met; \`other\` for rules
beyond the first \`metrics.max_rules\`, in file order. Series of rules that a reload has removed go with them. Everything is counted
by each process for itself; sum over them. With \`serve.workers\` every series has the label \`worker\` besides.

Outcomes of requests: \`forwarded\` (the upstream's own answer, whatever its status), \`upgraded\` (a WebSocket), \`self_service\` (registration,
login and so on, answered here), \`preflight\` (CORS, answered here), \`redirected\` (refused, and sent elsewhere by the rule's error handler),
\`denied\` (401, 403), \`not_found\` (no rule, no resource), \`bad_request\` (other mistakes of the client), \`rate_limited\` (429), \`upstream_error\`
(502, 504, or an answer that broke off), \`store_unavailable\` and \`overloaded\` (503), \`internal_error\` (500), \`client_gone\` (499).
`

const ofNode = `
## Of the process

What prom-client tells of any Node process. The event loop's delay is \`oathgate_nodejs_eventloop_lag_p99_seconds\` and its like, measured since the scrape before.
`

function table(metrics: readonly MetricDescription[]): string {
  const rows = metrics.map(({ name, type, labelNames, help }) =>
    `| \`${name}\` | ${type} | ${labelNames.map(label => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')} |\n`)
  return `| name | type | labels | what it says |\n|---|---|---|---|\n${rows.join('')}`
}
