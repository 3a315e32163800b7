/**
 * L7, X13: rules that change under load: every answer is that of one version, and a broken file is no version.
 * `RELOAD_RATE=500` is the load in requests a second.
 */
import { rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { grouped, lengthOf, tellFigure } from '../helpers/figure.js'
import { startTestGateway, type TestGateway } from '../helpers/gateway.js'
import { until } from '../helpers/redis.js'
import { newVisitor, type Page } from '../helpers/visitor.js'

const reloads = 100
const brokenEvery = 10
const clients = 8
const rate = lengthOf('RELOAD_RATE', 300)

/** In even versions `/even` is open and `/odd` closed, in odd ones the other way round; both say which version they are of. */
function rulesOf(version: number, origin: string): object[] {
  return ['even', 'odd'].map((name, at) => ({
    id: name,
    upstream: { url: origin },
    match: { url: `<https?://[^/]+>/${name}`, methods: ['GET'] },
    authenticators: [{ handler: version % 2 === at ? 'anonymous' : 'unauthorized' }],
    authorizer: { handler: 'allow' },
    mutators: [{ handler: 'header', config: { headers: { 'X-Version': String(version) } } }],
    response: { set: { 'X-Version': String(version) } },
    errors: [{ handler: 'www_authenticate', config: { realm: String(version) } }],
  }))
}

/** What an operator's slip looks like to the gateway. */
const broken: readonly string[] = [
  '', '[', '- id: even\n  match: { url: "<.*>" }\n  upsteam: {}\n', '{"not": "a list"}',
  '[{"id":"a","match":{"url":"<[a>","methods":["GET"]}}]', '- &a [*a]', '\u0000', '- id: a\n- id: a\n', '[{"id":"half","match":{"url":"http',
  '- id: open\n  match: { url: "<.*>", methods: [GET] }\n  authenticators: [{ handler: anonymus }]\n  authorizer: { handler: allow }\n  mutators: [{ handler: noop }]\n',
]

async function gatewayThatFlips(t: Test): Promise<{ gateway: TestGateway, replaceRules: (text: string) => Promise<void>, origin: string }> {
  const upstream = createServer((req, res) => { res.setHeader('x-told', String(req.headers['x-version'])).end() })
  await new Promise<void>(listening => { upstream.listen(0, '127.0.0.1', listening) })
  t.teardown(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const enabled = { enabled: true }
  const gateway = await startTestGateway(t, {
    config: {
      authenticators: { anonymous: enabled, unauthorized: enabled }, authorizers: { allow: enabled },
      mutators: { header: { enabled: true, config: { headers: {} } } }, errors: { handlers: { www_authenticate: enabled } },
    },
    rules: rulesOf(0, origin),
  })
  const replaceRules = async (text: string): Promise<void> => {
    await writeFile(join(gateway.folder, 'rules.next'), text)
    await rename(join(gateway.folder, 'rules.next'), join(gateway.folder, 'rules.yml'))
  }
  return { gateway, replaceRules, origin }
}

/** The version that an answer is of; a sentence when it can't be any. */
function versionOf(route: 'even' | 'odd', { status, headers, text }: Page): number | string {
  const said = status === 200 ? headers['x-version'] : /^Basic realm=(\d+)$/.exec(String(headers['www-authenticate']))?.[1]
  if (typeof said !== 'string') return `/${route} answered ${status} ${text}`
  const version = Number(said)
  const isOpen = version % 2 === (route === 'even' ? 0 : 1)
  if (status !== (isOpen ? 200 : 401)) return `/${route} of version ${version} answered ${status}`
  if (status === 200 && headers['x-told'] !== said) return `/${route} told the upstream ${String(headers['x-told'])} and the client ${said}`
  return version
}

/** Clients that ask for both routes in turn; each must never meet an older version than it met before. */
function crowd(gateway: TestGateway): { newest(): number, stop(): Promise<{ asked: number, wrong: string[] }> } {
  const wrong: string[] = []
  let asked = 0
  let newest = 0
  let stopped = false
  async function client(): Promise<void> {
    const visitor = newVisitor()
    let last = 0
    for (let due = performance.now(); !stopped; due += clients * 1000 / rate) {
      await new Promise(resolve => { setTimeout(resolve, Math.max(0, due - performance.now())) })
      const route = asked++ % 2 === 0 ? 'even' : 'odd'
      const version = await visitor.send(`${gateway.url}/${route}`).then(page => versionOf(route, page), String)
      if (typeof version === 'string') wrong.push(version)
      else if (version < last) wrong.push(`version ${version} after ${last}`)
      else last = version
      newest = Math.max(newest, last)
    }
  }
  const running = Array.from({ length: clients }, client)
  return {
    newest: () => newest,
    async stop() {
      stopped = true
      await Promise.all(running)
      return { asked, wrong }
    },
  }
}

async function ready(gateway: TestGateway): Promise<{ status: number, note: string | undefined }> {
  const page = await newVisitor().fetch(`${gateway.adminUrl}/health/ready`)
  return { status: page.status, note: (page.json() as { notes?: { access_rules?: string } }).notes?.access_rules }
}

t.test(`L7 X13 ${reloads} reloads that open and close routes under load: each answer is of one version, and broken files change nothing`, async t => {
  const { gateway, replaceRules, origin } = await gatewayThatFlips(t)
  const from = performance.now()
  const load = crowd(gateway)
  let untold = 0

  for (let version = 1; version <= reloads; version++) {
    if (version % brokenEvery === 0) {
      await replaceRules(broken[version / brokenEvery - 1] ?? '')
      await until(async () => (await ready(gateway)).note !== undefined)
      const { status } = await ready(gateway)
      if (status !== 200 || load.newest() !== version - 1) untold++
    }
    await replaceRules(JSON.stringify(rulesOf(version, origin)))
    await until(() => load.newest() === version)
  }

  const { asked, wrong } = await load.stop()
  const seconds = (performance.now() - from) / 1000
  tellFigure(t, 'L7', `${reloads} reloads that open and close routes, and ${reloads / brokenEvery} broken files, at ${Math.round(asked / seconds)} requests/s`,
    `${wrong.length} errors or mixed decisions in ${grouped(asked)} requests`)
  t.strictSame(wrong.slice(0, 3), [], `${asked} requests in ${seconds.toFixed(1)} s, ${Math.round(asked / seconds)} a second`)
  t.equal(untold, 0, 'with a broken file the gateway says why, and is ready with the rules it has')
  t.strictSame(await ready(gateway), { status: 200, note: undefined }, 'nothing is left to tell')
  const failures = gateway.logged.filter(({ msg }) => msg === 'access rules can not be loaded, the last good ones stay')
  t.equal(failures.length, reloads / brokenEvery, 'one line for each broken file')
})
