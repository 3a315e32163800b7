/** The whole gateway before a recorder, with the rules that the security tables speak of. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

import type { Upstream } from '../../src/access/pipeline.js'
import { startTestGateway } from './gateway.js'
import { aliceCookie } from './proxy-harness.js'
import { startRecorder, type Recorder } from './recorder.js'

export { aliceCookie }

export interface GatewayUnderTestOptions {
  readonly trustedProxies?: readonly string[]
  readonly upstream?: Partial<Pick<Upstream, 'keepAlive' | 'bodyOnSafeMethods' | 'preserveHost' | 'stripPath' | 'basePath'>>
  /** Milliseconds a client may pause. */
  readonly read?: number
}

export interface GatewayUnderTest {
  readonly port: number
  readonly recorder: Recorder
  close(): Promise<void>
}

const methods = [
  'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'LOCK', 'MKCOL', 'REPORT',
]

/** `/public/**` is open, `/app/**` and `/admin/**` need alice's cookie and set `X-User`, `/judged/**` is decided on by its body, everything else is 404. */
export async function start(options: GatewayUnderTestOptions = {}): Promise<GatewayUnderTest> {
  const recorder = await startRecorder()
  const whoami = createServer((req, res) => {
    const isAlice = (req.headers.cookie ?? '').includes(aliceCookie)
    res.writeHead(isAlice ? 200 : 401, { 'content-type': 'application/json' }).end(isAlice ? '{"subject":"alice"}' : '{}')
  })
  await new Promise<void>(listening => whoami.listen(0, '127.0.0.1', listening))
  const endings: (() => unknown)[] = []

  const { keepAlive, bodyOnSafeMethods, preserveHost, stripPath, basePath = '' } = options.upstream ?? {}
  const rule = (id: string, path: string): Record<string, unknown> => ({
    id,
    match: { url: `<https?>://<[^/]+>/${path}`, methods },
    upstream: {
      url: recorder.origin + basePath, strip_path: stripPath, preserve_host: preserveHost, keep_alive: keepAlive, body_on_safe_methods: bodyOnSafeMethods,
    },
    authorizer: { handler: 'allow' },
  })
  const judge = `http://127.0.0.1:${(whoami.address() as AddressInfo).port}/`
  const session = { handler: 'cookie_session', config: { check_session_url: judge, only: ['ory_kratos_session'] } }
  const user = { handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }
  const gateway = await startTestGateway({ teardown: (end: () => unknown) => endings.push(end) } as unknown as Test, {
    config: {
      serve: { public: { trusted_proxies: options.trustedProxies ?? [], timeout: { read: `${options.read ?? 5000}ms`, idle: '5s' } } },
      authorizers: { remote: { enabled: true, config: { remote: judge } } },
    },
    rules: [
      { ...rule('open', 'public/<.*>'), authenticators: [{ handler: 'noop' }], mutators: [{ handler: 'noop' }] },
      { ...rule('closed', '<(app|admin)>/<.*>'), authenticators: [session], mutators: [user] },
      { ...rule('door', 'admin'), authenticators: [session], mutators: [user] },
      { ...rule('judged', 'judged/<.*>'), authenticators: [{ handler: 'noop' }], authorizer: { handler: 'remote' }, mutators: [{ handler: 'noop' }] },
    ],
  })

  return {
    port: Number(new URL(gateway.url).port),
    recorder,
    async close() {
      for (const end of endings.reverse()) await end()
      whoami.closeAllConnections()
      whoami.close()
      await recorder.close()
    },
  }
}
