/** What tests of access/ are made of: requests as `readAccessRequest` makes them, a configuration, sessions that exist. */
import type { AccessConfig } from '../../src/access/compile-rule.js'
import type { AuthenticationSession, Services } from '../../src/access/pipeline.js'
import { createRemoteAccess } from '../../src/access/remote-access.js'
import { type RuleSet, compileRules } from '../../src/access/rules.js'
import type { AccessRequest } from '../../src/http/access-request.js'
import type { FoundSession } from '../../src/store/store.js'

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly clientAddress?: string
}

/** `target` is a canonical URL, with a query or without. */
export function accessRequest(method: string, target: string, { headers = {}, clientAddress = '192.0.2.7' }: RequestOptions = {}): AccessRequest {
  const [, scheme = '', host = '', path = '', query = ''] = /^(https?):\/\/([^/]+)(\/[^?]*)(\?.*)?$/.exec(target) ?? []
  return {
    method, scheme: scheme as 'http' | 'https', host, path, query, clientAddress,
    encodedSlashes: /%(?:2F|5C)/.test(path),
    url: `${scheme}://${host}${path}`,
    headers,
    rawHeaders: Object.entries(headers).flat(),
    peer: { address: clientAddress, trusted: false },
    requestId: 'request-1',
  }
}

/** A configuration as it is after loading, with what the test says in its place. */
export function accessConfig(over: Partial<AccessConfig> & { readonly strategy?: 'regexp' | 'glob', readonly onMultiple?: 'error' | 'first', readonly repositories?: string[] } = {}): AccessConfig {
  const { strategy = 'regexp', onMultiple = 'error', repositories = [], ...rest } = over
  return {
    access_rules: { repositories, matching_strategy: strategy, on_multiple_matches: onMultiple, poll_interval: '60s', max_bytes: 1_048_576 },
    authenticators: {}, authorizers: {}, mutators: {},
    errors: { fallback: ['json'], handlers: {} },
    ...rest,
  }
}

export const alice: FoundSession = {
  session: { id: 'session-1', tokenHash: 'hash', identityId: 'identity-1', authenticatedAt: 0, issuedAt: 0, expiresAt: 1, lastSeenAt: 0 },
  identity: {
    id: 'identity-1', schemaId: 'default', traits: { email: 'alice@example.org' }, credentials: {}, createdAt: 0, updatedAt: 0, version: 1,
  },
}

/** Sessions in which the token `alice` is known and everything else is not; `verify` stands in when a test gives one. */
export function services(verify: Services['sessions']['verify'] = async token => token === 'alice' ? alice : undefined): Services {
  const unused = async (): Promise<never> => {
    throw new Error('not part of this test')
  }
  return {
    sessions: { verify, issue: unused, revoke: unused, revokeAll: unused, list: unused, find: unused, revokeById: unused },
    sessionCookie: 'ory_kratos_session',
    sessionDocument: ({ session, identity }) => ({ sid: session.id, identity: { id: identity.id, traits: identity.traits } }),
    ...createRemoteAccess('.'),
  }
}

/** Compiles rules that are given as data or as text. */
export function ruleSet(rules: readonly object[] | string, config: AccessConfig = accessConfig(), given: Services = services()): RuleSet {
  return compileRules([{ name: 'rules.yml', text: typeof rules === 'string' ? rules : JSON.stringify(rules) }], config, given)
}

/** A rule that lets everybody pass, except for what the test says. */
export function rule(url: string, over: object = {}): object {
  return {
    id: url, match: { url, methods: ['GET', 'POST'] }, upstream: { url: 'http://127.0.0.1:9' },
    authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }], ...over,
  }
}

/** Nobody yet, on the way through a pipeline. */
export function nobody(request: AccessRequest, over: Partial<AuthenticationSession> = {}): AuthenticationSession {
  return { subject: '', extra: undefined, header: {}, match: { ruleId: 'rule', captures: () => [], request }, ...over }
}
