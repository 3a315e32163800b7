/** A gateway over Redis, as a process, with a page for everybody and one for who is logged in, before an app that names the visitor. */
import type { Test } from 'tap'

import { startApp } from './app.js'
import type { GatewayOptions } from './gateway.js'

/** The configuration: `/public` and `/members`, whose answers say in `x-told` whom the app was told of. `config` is laid over it, section by section. */
export async function membersOver(t: Test, dsn: string, config: Readonly<Record<string, unknown>> = {}): Promise<GatewayOptions> {
  const origin = await startApp(t, (req, res) => { res.setHeader('x-told', String(req.headers['x-user'] ?? 'nobody')).end('ok') })
  const rule = (path: string, authenticator: string): object => ({
    id: path, upstream: { url: origin }, match: { url: `<https?://[^/]+>/${path}`, methods: ['GET'] }, authenticators: [{ handler: authenticator }],
    authorizer: { handler: 'allow' }, mutators: [{ handler: 'header', config: { headers: { 'X-User': '{{ print .Subject }}' } } }],
  })
  const enabled = { enabled: true }
  return {
    config: {
      dsn, secrets: { session: ['0123456789abcdef0123456789abcdef'] },
      authenticators: { cookie_session: enabled, anonymous: enabled }, authorizers: { allow: enabled },
      mutators: { header: { enabled: true, config: { headers: {} } } },
      ...config,
    },
    rules: [rule('public', 'anonymous'), rule('members', 'cookie_session')],
  }
}
