/// <reference path="./oidc-provider.d.ts" />
/** A small OpenID provider: the real protocol, with a page to pick a person from in place of passwords. Tests use it, too. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { interactionPolicy, Provider } from 'oidc-provider'

import { choicePage, style } from './page.mjs'
import { people as demoPeople } from './people.mjs'

/**
 * @typedef {{
 *   issuer: string, clientId: string, clientSecret: string, redirectUris: string[],
 *   people?: Readonly<Record<string, import('./people.mjs').Person>>
 * }} ProviderOptions
 */

const signInPath = /^\/sign-in\/([\w-]{1,64})$/

/**
 * Its server; it listens once it is told where.
 * @param {ProviderOptions} options
 */
export function createProviderServer({ people = demoPeople, ...options }) {
  const provider = createProvider({ people, ...options })
  const answerProtocol = provider.callback()

  return createServer((request, response) => {
    void answer(request, response).catch(error => {
      console.error('provider:', error instanceof Error ? error.message : error)
      if (!response.headersSent) response.writeHead(400, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end('This sign-in is over. Go back to where you came from and begin again.\n')
    })
  })

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async function answer(request, response) {
    const { pathname } = new URL(request.url ?? '/', options.issuer)
    if (pathname === '/health') return void response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok')
    if (pathname === '/style.css') return void response.writeHead(200, { 'Content-Type': 'text/css' }).end(style)
    if (!signInPath.test(pathname)) return answerProtocol(request, response)
    return request.method === 'POST' ? signIn(request, response) : showChoice(pathname, request, response)
  }

  /**
   * @param {string} pathname
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async function showChoice(pathname, request, response) {
    await provider.interactionDetails(request, response)
    response.writeHead(200, {
      'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    })
    response.end(choicePage(pathname, people))
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async function signIn(request, response) {
    const person = new URLSearchParams(await readText(request)).get('person') ?? ''
    const result = Object.hasOwn(people, person)
      ? { login: { accountId: person } }
      : { error: 'access_denied', error_description: 'You chose not to sign in.' }
    await provider.interactionFinished(request, response, result)
  }
}

/** @param {Required<ProviderOptions>} options */
function createProvider({ issuer, clientId, clientSecret, redirectUris, people }) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return new Provider(issuer, {
    clients: [{
      client_id: clientId, client_secret: clientSecret, redirect_uris: redirectUris,
      grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic',
    }],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'demo', alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name'] },
    findAccount: (/** @type {unknown} */ _context, /** @type {string} */ id) => {
      const person = Object.hasOwn(people, id) ? people[id] : undefined
      return person && { accountId: id, claims: () => ({ sub: id, ...person.claims }) }
    },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
    interactions: {
      url: (/** @type {unknown} */ _context, /** @type {{ uid: string }} */ { uid }) => `/sign-in/${uid}`,
      policy: askEveryTime(),
    },
    loadExistingGrant: grantEverything,
    pkce: { required: () => true },
    ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 600, Session: 3600 },
  })
}

/** A provider remembers people; for a demo it is better to be asked who one is today. */
function askEveryTime() {
  const { base, Check } = interactionPolicy
  const policy = base()
  policy.get('login')?.checks.add(new Check('today', 'the demo asks every time', 'login_required', context => {
    return context.oidc.result?.login ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT
  }))
  return policy
}

/**
 * Nobody is asked what the gateway may know: it is the only client.
 * @param {import('oidc-provider').Context} context
 */
async function grantEverything({ oidc: { provider, client, session } }) {
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  grant.addOIDCScope('openid email profile')
  await grant.save()
  return grant
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<string>}
 */
async function readText(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > 1024) throw new Error('the form is too long')
  }
  return text
}
