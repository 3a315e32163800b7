/** An OpenID provider that does what a test tells it to, right or wrong. It has no pages: the test plays the person. */
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT, type JWTHeaderParameters, type JWTPayload } from 'jose'
import type { Test } from 'tap'

type Answer = (request: IncomingMessage, response: ServerResponse, form: URLSearchParams) => unknown

/** What it does differently from an honest provider; absent: nothing. */
export interface Behaviour {
  /** Laid over its metadata. */
  metadata?: Record<string, unknown>
  /** Laid over the claims of its ID tokens; `undefined` leaves one out. */
  claims?: Record<string, unknown>
  /** Laid over the header of its ID tokens. */
  header?: Record<string, unknown>
  /** Which key signs. */
  signature?: 'own' | 'other' | 'none' | 'hs256-public-key' | 'hs256-client-secret' | 'stripped'
  /** Laid over the answer of its token endpoint; `undefined` leaves a member out. */
  tokens?: Record<string, unknown>
  /** In place of an endpoint. */
  discovery?: Answer
  token?: Answer
  jwks?: Answer
  userinfo?: Answer
}

export interface HostileProvider {
  readonly issuer: string
  /** An entry of `selfservice.strategies.oidc.config.providers`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly behaviour: Behaviour
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** Forms that its token endpoint got. */
  readonly tokenForms: Record<string, string>[]
  /** The person `sub` agrees: the callback URL for the journey that begins with this authorization URL. */
  agree(authorizationUrl: string, sub?: string, parameters?: Record<string, string>): string
  /** New keys, as when it rotates them. */
  rotate(): Promise<void>
}

export const clientSecret = 'a secret of the test, long enough to sign with'

/** Made once: making keys takes longer than most tests. */
const [firstKeys, otherKeys] = [newKeys(), newKeys()]

interface Grant {
  readonly sub: string
  readonly nonce: string | null
  readonly challenge: string | null
}

/** Starts one; it ends with the test. */
export async function startHostileProvider(t: Test, id = 'acme'): Promise<HostileProvider> {
  const behaviour: Behaviour = {}
  const asked: string[] = []
  const tokenForms: Record<string, string>[] = []
  const grants = new Map<string, Grant>()
  let keys = await firstKeys
  const others = await otherKeys

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      t.comment(String(error))
      response.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    asked.push(path)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    if (path === '/.well-known/openid-configuration') return void await (behaviour.discovery ?? describe)(request, response, form)
    if (path === '/jwks') return void await (behaviour.jwks ?? showKeys)(request, response, form)
    if (path === '/token') return void await (behaviour.token ?? giveTokens)(request, response, form)
    if (path === '/userinfo' && behaviour.userinfo !== undefined) return void await behaviour.userinfo(request, response, form)
    json(response, 404, {})
  }

  function describe(_request: IncomingMessage, response: ServerResponse): void {
    json(response, 200, {
      issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks`,
      ...behaviour.userinfo === undefined ? {} : { userinfo_endpoint: `${issuer}/userinfo` },
      response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['RS256'],
      authorization_response_iss_parameter_supported: true, ...behaviour.metadata,
    })
  }

  function showKeys(_request: IncomingMessage, response: ServerResponse): void {
    json(response, 200, { keys: [keys.jwk] })
  }

  async function giveTokens(_request: IncomingMessage, response: ServerResponse, form: URLSearchParams): Promise<void> {
    tokenForms.push(Object.fromEntries(form))
    const grant = grants.get(form.get('code') ?? '')
    grants.delete(form.get('code') ?? '')
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url')
    if (grant === undefined || grant.challenge !== challenge) return json(response, 400, { error: 'invalid_grant' })
    const tokens = { access_token: 'the-access-token', token_type: 'Bearer', expires_in: 60, id_token: await idToken(grant), ...behaviour.tokens }
    json(response, 200, tokens)
  }

  async function idToken({ sub, nonce }: Grant): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      iss: issuer, sub, aud: 'gateway', iat: now, exp: now + 300, ...nonce === null ? {} : { nonce },
      email: `${sub}@example.org`, email_verified: true, ...behaviour.claims,
    } as JWTPayload
    const header = { alg: 'RS256', kid: keys.jwk.kid, ...behaviour.header } as JWTHeaderParameters
    const jwt = (over: JWTHeaderParameters) => new SignJWT(claims).setProtectedHeader(over)
    switch (behaviour.signature ?? 'own') {
      case 'own': return jwt(header).sign(keys.privateKey)
      case 'other': return jwt(header).sign(others.privateKey)
      case 'none': return new UnsecuredJWT(claims).encode()
      case 'hs256-public-key': return jwt({ ...header, alg: 'HS256' }).sign(new TextEncoder().encode(keys.pem))
      case 'hs256-client-secret': return jwt({ ...header, alg: 'HS256' }).sign(new TextEncoder().encode(clientSecret))
      case 'stripped': return (await jwt(header).sign(keys.privateKey)).replace(/[^.]*$/, '')
    }
  }

  return {
    issuer,
    config: { id, provider: 'generic', client_id: 'gateway', client_secret: clientSecret, issuer_url: issuer },
    behaviour, asked, tokenForms,
    agree(authorizationUrl, sub = 'mallory', parameters = {}) {
      const query = new URL(authorizationUrl).searchParams
      const code = randomUUID()
      grants.set(code, { sub, nonce: query.get('nonce'), challenge: query.get('code_challenge') })
      const back = new URL(query.get('redirect_uri') ?? '')
      back.search = new URLSearchParams({ code, state: query.get('state') ?? '', iss: issuer, ...parameters }).toString()
      return back.href
    },
    async rotate() {
      keys = await newKeys()
    },
  }
}

/** Answers with a JSON document. */
export function json(response: ServerResponse, status: number, document: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document))
}

async function newKeys() {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const jwk = { ...await exportJWK(publicKey), kid: randomUUID(), alg: 'RS256', use: 'sig' }
  return { privateKey, jwk, pem: await exportSPKI(publicKey) }
}
