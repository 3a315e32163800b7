/** A real Prometheus of a test's own, which scrapes a gateway every second; gone when the test is. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

import { freePort } from './gateway.js'
import { until } from './redis.js'

export interface TestPrometheus {
  /** What an expression evaluates to now: its series with their values. Throws when it is no expression. */
  query(expression: string): Promise<readonly Series[]>
  /** Names of the alerts that fire now. */
  firing(): Promise<readonly string[]>
  /** The alerting rules with what became of their last evaluation. */
  rules(): Promise<readonly { readonly name: string, readonly health: string, readonly lastError?: string }[]>
  /** `up`, or what went wrong with the last scrape. */
  target(): Promise<string>
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface PrometheusOptions {
  /** The origin to scrape. */
  readonly target: string
  readonly token?: string
  /** A file of alerting rules. */
  readonly alerts?: string
}

/**
 * Why tests that need a Prometheus can't run here, for their `skip` option; false when they can. In CI its absence is a failure.
 */
export const prometheusSkip: string | false =
  spawnSync('prometheus', ['--version']).status === 0 || process.env.CI !== undefined ? false : 'prometheus is not installed'

/** What `promtool` says, and whether it was content. */
export function promtool(args: readonly string[], input = ''): { readonly ok: boolean, readonly text: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { ok: status === 0, text: `${stdout}${stderr}` }
}

/** Starts one; resolves when it has scraped its target once, however that went. */
export async function startPrometheus(t: Test, { target, token, alerts }: PrometheusOptions): Promise<TestPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'oathgate-prometheus-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const config = join(folder, 'prometheus.yml')
  await writeFile(config, JSON.stringify({
    global: { evaluation_interval: '250ms' },
    ...(alerts === undefined ? {} : { rule_files: [alerts] }),
    scrape_configs: [{
      job_name: 'oathgate', scrape_interval: '1s', scrape_timeout: '1s', static_configs: [{ targets: [new URL(target).host] }],
      ...(token === undefined ? {} : { authorization: { credentials: token } }),
    }],
  }))
  const server = spawn('prometheus', [
    `--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error',
  ], { stdio: 'ignore' })
  t.teardown(async () => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    server.kill('SIGKILL')
    await ended
  })

  async function ask<Data>(path: string): Promise<Data> {
    const answer = await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json() as { status: string, error?: string, data: Data }
    if (answer.status !== 'success') throw new Error(answer.error)
    return answer.data
  }
  async function targetHealth(): Promise<string> {
    const { activeTargets: [scraped] } = await ask<{ activeTargets: { health: string, lastError: string }[] }>('targets')
    return scraped?.health === 'down' ? scraped.lastError : scraped?.health ?? 'unknown'
  }
  await until(async () => await targetHealth().catch(() => 'unknown') !== 'unknown')

  return {
    target: targetHealth,
    async query(expression) {
      const { result } = await ask<{ result: { metric: Record<string, string>, value: [number, string] }[] }>(`query?query=${encodeURIComponent(expression)}`)
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
    async firing() {
      const { alerts } = await ask<{ alerts: { state: string, labels: { alertname: string } }[] }>('alerts')
      return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname)
    },
    async rules() {
      const { groups } = await ask<{ groups: { rules: { name: string, health: string, lastError?: string }[] }[] }>('rules')
      return groups.flatMap(({ rules }) => rules)
    },
  }
}
