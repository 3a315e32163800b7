/** Puts the gateway together from a loaded configuration and runs it. The one place where everything meets. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import type { Acme } from './acme/acme.js'
import type { Services } from './access/pipeline.js'
import { createRemoteAccess, type RemoteAccess } from './access/remote-access.js'
import { watchRules } from './access/repositories.js'
import type { Load } from './admin/status.js'
import { durationMs } from './config/duration.js'
import { ConfigError } from './config/config-error.js'
import type { LoadedConfig } from './config/load.js'
import type { Config } from './config/schema.js'
import { sessionSecrets } from './config/secrets.js'
import { speaksTls } from './config/tls-checks.js'
import type { GatewayError } from './errors.js'
import { adminHandler, publicHandler, redirectHandler, upgradeHandler, type Handle, type HandleUpgrade, type PublicParts } from './gateway.js'
import { createAccessRequestReader } from './http/access-request.js'
import { createTrust } from './http/client-address.js'
import { csrfCookieNames } from './http/csrf.js'
import { decisionsPath } from './http/forwarded-request.js'
import { hstsValue } from './http/hsts.js'
import { createHttpsRedirect } from './http/https-redirect.js'
import { listen, type Listener } from './http/listener.js'
import { createRequestIds } from './http/request-id.js'
import { createPublicServer } from './http/server.js'
import { createUpgradeResponse } from './http/upgrade-request.js'
import { loadIdentitySchemas, type IdentitySchema } from './identity/identity-schema.js'
import { createHasher, type HasherOptions } from './identity/password-hash.js'
import { createPasswordPolicy } from './identity/password-policy.js'
import type { Log } from './log.js'
import { createMetrics, type Fellows, type Metrics } from './metrics/metrics.js'
import { createForwarder } from './proxy/forward.js'
import { createUpgrader } from './proxy/upgrade.js'
import { logRefused } from './request-log.js'
import { deviceCookieName } from './selfservice/known-device.js'
import { createSelfService, type SelfServiceParts } from './selfservice/selfservice.js'
import type { SelfService } from './selfservice/service.js'
import { readProviders, unknownTraits } from './selfservice/strategies/oidc/settings.js'
import { withSessionCache, type SessionLookUp } from './session/cached-store.js'
import { sessionDocument } from './session/document.js'
import { createSessions, type Sessions } from './session/sessions.js'
import { parseDsn } from './store/dsn.js'
import { observedStore } from './store/observed-store.js'
import { openStore } from './store/open.js'
import type { Store } from './store/store.js'
import { followCertificateFiles, readAuthorities } from './tls/certificate-files.js'
import { createShownCertificates, type ShownCertificates } from './tls/shown-certificates.js'
import { untraced, type Tracing } from './tracing/tracing.js'
import { version } from './version.js'

/** A gateway that accepts requests. */
export interface RunningGateway {
  readonly publicPort: number
  readonly adminPort: number
  /** Where plain HTTP is sent on to https; absent where it is not. */
  readonly redirectPort?: number
  /**
   * Says "not ready", and `Connection: close` with every answer, for `serve.public.drain_wait`; then takes no new connections,
   * lets requests in flight finish for `serve.public.drain` at most, and closes everything. `hurry` cuts the waiting short.
   */
  stop(hurry?: AbortSignal): Promise<void>
}

/**
 * Rejects with a sentence when something that the configuration names is not there or not right; nothing runs then. `fellows`
 * are the other processes behind the same ports, if any.
 */
export async function startGateway({ config, baseDir, placeOf }: LoadedConfig, log: Log, fellows?: Fellows): Promise<RunningGateway> {
  const schemas = await loadIdentitySchemas({
    defaultUrl: config.identity.traits.default_schema_url, schemas: config.identity.traits.schemas, baseDir,
  })
  for (const warning of schemas.warnings) log.warn(warning)
  const { providers, problems } = await readProviders(config, baseDir)
  if (problems.length > 0) throw new ConfigError(problems.map(({ path, message }) => ({ ...placeOf(path), message })))
  for (const warning of unknownTraits(providers, schemas.get('default') as IdentitySchema)) log.warn(warning)
  const address = parseDsn(config.dsn)
  const secrets = await sessionSecrets(config, address.kind === 'embedded' ? address.path : undefined)

  const opened: (() => Promise<void>)[] = []
  try {
    const tracing = await openTracing(config, log)
    opened.push(() => tracing.close())
    const certificates = speaksTls(config) ? createShownCertificates() : undefined
    if (certificates !== undefined) {
      const { tls } = config.serve.public
      const files = await followCertificateFiles({ tls, baseDir, placeOf }, read => { certificates.replace('files', read) }, log)
      opened.push(async () => { files.close() })
    }
    const kept = await openStore({
      dsn: config.dsn, timeoutMs: durationMs(config.store.timeout), keyPrefix: config.store.key_prefix,
      durability: config.store.durability, warn: message => { log.warn(message) },
    })
    opened.push(() => kept.close())
    const metrics = createMetrics({ rules: () => rules.current(), maxRules: config.metrics.max_rules, ...fellows && { fellows } })
    const store = cached(tracing.store(observedStore(kept, metrics.store.ended)), config.session.cache_entries, metrics.store.sessionLookedUp)
    const sessions = createSessions(store, {
      secrets, lifespanMs: durationMs(config.session.lifespan), idleLifespanMs: durationMs(config.session.idle_lifespan),
      maxPerIdentity: config.session.max_per_identity, observer: metrics.events.sessions,
    })
    const remote = createRemoteAccess(baseDir)
    opened.push(() => remote.close())
    const signedWith = config.mutators.id_token?.config?.['jwks_url']
    if (typeof signedWith === 'string') remote.keySets.publish(signedWith)
    const rules = await watchRules(config, baseDir, ruleServices(config, sessions, { ...remote, fetchBounded: tracing.fetch(remote.fetchBounded) }), log, metrics.events.rulesReloaded)
    opened.push(async () => { rules.close() })

    const currentRules = tracing.rules(rules.current)

    const hasher = tracing.hasher(createHasher(hasherOptions(config), metrics.events.hashRefused))
    const selfService = assembleSelfService(config, { store, sessions, schemas, secrets, providers, hasher }, metrics.events, log)
    const forwarder = tracing.forwarder(createForwarder(forwarderOptions(config)))
    opened.push(() => forwarder.close())
    const upgrader = tracing.upgrader(createUpgrader(upgraderOptions(config)))
    opened.push(async () => { upgrader.close() })

    const hsts = hstsValue(config.serve.public.tls.hsts)
    const parts: PublicParts = {
      readRequest: requestReader(config), cors: config.serve.public.cors, selfService, rules: currentRules, forwarder, upgrader,
      metrics: tracing.endings(metrics.requests), log, ...hsts !== undefined && { hsts },
    }
    const ending = new AbortController()
    const adminUrl = config.urls.self.admin.replace(/\/+$/, '')
    const server = publicServer(config, parts, { tracing, ending: ending.signal, metrics, certificates })
    const load = async (): Promise<Load> => ({ connections: await openConnections(server), tunnels: upgrader.tunnels(), hashing: hasher.load() })
    const answerAdmin = adminHandler({
      service: {
        selfService, store, version, metrics, accepting: () => !ending.signal.aborted,
        identities: { store, schemas, hasher, publicUrl: selfService.urls.public, adminUrl },
        sessions: { store, sessions },
        rules: { documents: () => rules.current().documents, status: rules.status },
        publicJwks: remote.keySets.publicJwks,
        status: {
          storeKind: address.kind === 'embedded' ? 'embedded' : 'redis', storeSummary: metrics.store.summary, hits: metrics.requests.hits,
          countedRules: config.metrics.max_rules, load,
        },
      },
      rules: currentRules, token: config.serve.admin.token, adminUrl, pathBytes: config.serve.public.limits.path_bytes,
      metrics: metrics.requests, log,
    })

    const adminSide = await listen(adminServer(config, tracing.requestsBelow(decisionsPath, answerAdmin), log), config.serve.admin.host, config.serve.admin.port)
    opened.push(async () => { adminSide.close() })
    const acme = certificates === undefined ? undefined : await openAcme(config, baseDir, { store, secrets, certificates }, log)
    if (acme !== undefined) opened.push(async () => { acme.close() })
    const redirectSide = certificates === undefined ? undefined : await listenForPlain(config, { certificates, readRequest: parts.readRequest, metrics, acme }, log)
    if (redirectSide !== undefined) opened.push(async () => { redirectSide.close() })
    metrics.watch({
      version, rules: { count: () => rules.current().count, status: rules.status },
      storeAnswers: () => store.ping().then(() => true, () => false), connections: () => openConnections(server), tunnels: () => upgrader.tunnels(), hashing: () => hasher.load(),
      certificateExpiry: () => certificates === undefined ? Infinity : certificates.earliestExpiry() ?? 0,
    })
    const publicSide = await listen(server, config.serve.public.host, config.serve.public.port)
    opened.push(async () => { publicSide.close() })
    acme?.begin()

    return {
      publicPort: publicSide.port,
      adminPort: adminSide.port,
      ...redirectSide !== undefined && { redirectPort: redirectSide.port },
      async stop(hurry = new AbortController().signal) {
        ending.abort()
        await pause(durationMs(config.serve.public.drain_wait), hurry)
        const over = AbortSignal.any([hurry, AbortSignal.timeout(durationMs(config.serve.public.drain))])
        await Promise.all([publicSide, ...redirectSide === undefined ? [] : [redirectSide]].map(side => drain(side, over)))
        await drain(adminSide, over) // last, since health is asked for there, and the apps read flows
        await closeAll(opened)
      },
    }
  } catch (error) {
    await closeAll(opened)
    throw error
  }
}

/** OpenTelemetry is loaded here or not at all. */
async function openTracing({ tracing, serve }: Config, log: Log): Promise<Tracing> {
  if (!tracing.enabled) return untraced
  const { createTracing } = await import('./tracing/otlp.js')
  return createTracing({ config: tracing, trustedProxies: serve.public.trusted_proxies, warn: message => { log.warn(message) } })
}

/** The store with sessions kept in memory, where it tells of changes. */
function cached(store: Store, entries: number, onLookUp: (result: SessionLookUp) => void): Store {
  return store.invalidations === undefined || entries === 0 ? store : withSessionCache(store, store.invalidations, entries, onLookUp)
}

/** What the handlers of access rules may use of the rest. */
export function ruleServices(config: Config, sessions: Sessions, { fetchBounded, responses, keySets, baseDir }: RemoteAccess): Services {
  const publicUrl = config.urls.self.public.replace(/\/+$/, '')
  return {
    sessions, sessionCookie: config.session.cookie.name, sessionDocument: found => sessionDocument(found, publicUrl),
    fetchBounded, responses, keySets, baseDir,
  }
}

/** Resolves when requests in flight have finished, or their time is over. */
async function drain(listener: Listener, over: AbortSignal): Promise<void> {
  if (over.aborted) return
  const cut = new Promise<void>(resolve => { over.addEventListener('abort', () => { resolve() }, { once: true }) })
  await Promise.race([listener.drain(), cut])
}

async function pause(ms: number, cutShort: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: cutShort }).catch(() => undefined)
}

/** How long each part may take to close: an upstream that hangs, say, would keep the process for ever. */
const closeWithinMs = 5000

/** Last opened, first closed; one that fails or hangs does not keep the others open. */
async function closeAll(opened: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of [...opened].reverse()) {
    await Promise.race([close().catch(() => undefined), delay(closeWithinMs, undefined, { ref: false })])
  }
}

type LoadedParts = Pick<SelfServiceParts, 'store' | 'sessions' | 'schemas' | 'secrets' | 'providers' | 'hasher'>

function assembleSelfService(config: Config, loaded: LoadedParts, events: Metrics['events'], log: Log): SelfService {
  const policy = createPasswordPolicy({
    ...config.selfservice.strategies.password.config,
    onBreachCheckFailure(detail) {
      events.breachCheckFailed()
      log.warn({ detail }, 'breach check failed')
    },
  })
  return createSelfService(config, {
    ...loaded, policy, observer: events.selfService,
    onProviderFailure(provider, detail) {
      events.selfService.providerFailed(provider)
      log.warn({ provider, detail }, 'a sign-in provider failed')
    },
  })
}

function hasherOptions({ hashers, selfservice }: Config): HasherOptions {
  return {
    ...hashers.argon2, decoy: hashers.imported.decoy,
    maxPasswordBytes: selfservice.strategies.password.config.max_password_bytes,
  }
}

function forwarderOptions(config: Config): Parameters<typeof createForwarder>[0] {
  const { timeout, connections, keep_alive: keepAlive } = config.proxy
  return {
    timeout: { connect: durationMs(timeout.connect), response: durationMs(timeout.response), body: durationMs(timeout.body) },
    connections,
    keepAlive: durationMs(keepAlive),
    maxBodyBytes: config.serve.public.limits.body_bytes,
    ownCookies: ownCookies(config),
  }
}

/** What no upstream sees or sets. */
export function ownCookies(config: Config): readonly string[] {
  return [config.session.cookie.name, ...Object.values(csrfCookieNames), deviceCookieName]
}

function upgraderOptions(config: Config): Parameters<typeof createUpgrader>[0] {
  const { timeout } = config.proxy
  return {
    timeout: { connect: durationMs(timeout.connect), response: durationMs(timeout.response) },
    ownCookies: ownCookies(config),
    allowedOrigins: config.serve.public.cors.enabled ? config.serve.public.cors.allowed_origins : [],
  }
}

function requestReader(config: Config): PublicParts['readRequest'] {
  const { trusted_proxies: trustedProxies, limits } = config.serve.public
  return createAccessRequestReader({ trustedProxies, pathBytes: limits.path_bytes, headerFields: limits.header_fields })
}

/** `undefined` where no certificate comes by ACME. Rejects with a sentence when `ca_file` can't be read. */
async function openAcme(
  { serve: { public: { tls: { acme } } } }: Config, baseDir: string,
  { certificates, ...kept }: { readonly store: Store, readonly secrets: readonly string[], readonly certificates: ShownCertificates }, log: Log,
): Promise<Acme | undefined> {
  if (acme.domains.length === 0) return undefined
  const { startAcme } = await import('./acme/acme.js') // what it needs is large, and few need it
  return startAcme({
    ...kept, domains: acme.domains, directoryUrl: acme.directory_url, email: acme.email,
    ca: acme.ca_file === undefined ? undefined : await readAuthorities(acme.ca_file, baseDir),
    ...acme.renew_before !== undefined && { renewBeforeMs: durationMs(acme.renew_before) },
    show: issued => { certificates.replace('acme', issued) },
    log,
  })
}

interface PublicServerParts {
  readonly tracing: Tracing
  readonly ending: AbortSignal
  readonly metrics: Metrics
  /** Absent: the listener speaks plain HTTP. */
  readonly certificates: ShownCertificates | undefined
}

function publicServer(config: Config, parts: PublicParts, { tracing, ending, metrics, certificates }: PublicServerParts): Server {
  return createPublicServer({
    ...openServerOptions(config, metrics, parts.log),
    ...certificates !== undefined && { tls: { certificates, minVersion: config.serve.public.tls.min_version } },
    ending,
    onRequest: tracing.requests(publicHandler(parts)),
    onUpgrade: tracing.upgrades(upgradeHandler(parts)),
  })
}

interface PlainParts {
  readonly certificates: ShownCertificates
  readonly readRequest: PublicParts['readRequest']
  readonly metrics: Metrics
  readonly acme: Acme | undefined
}

/** The listener that sends people from http to https; `undefined` where none is wanted. */
async function listenForPlain(config: Config, { certificates, readRequest, metrics, acme }: PlainParts, log: Log): Promise<Listener | undefined> {
  const { host, tls } = config.serve.public
  if (!tls.redirect.enabled) return undefined

  const { hostname, port } = new URL(config.urls.self.public)
  const redirect = createHttpsRedirect({
    httpsPort: port === '' ? 443 : Number(port),
    isServed: name => name === hostname || certificates.covers(name) || tls.acme.domains.includes(name),
  })
  const onRequest = redirectHandler({ readRequest, redirect, log, ...acme !== undefined && { answerChallenge: acme.answerChallenge } })
  const server = createPublicServer({ ...openServerOptions(config, metrics, log), onRequest, onUpgrade: answerUpgrade(onRequest) })
  return listen(server, tls.redirect.host ?? host, tls.redirect.port)
}

/** What holds for every listener that faces the open internet. */
function openServerOptions(config: Config, { events }: Metrics, log: Log) {
  const { limits, trusted_proxies: trustedProxies } = config.serve.public
  return {
    ...serverOptions(config, 'public', log),
    perAddress: { connections: limits.connections_per_address, isTrusted: createTrust(trustedProxies) },
    onRefused(error: GatewayError, requestId: string, socket: Socket) {
      events.requestMalformed(error.status)
      logRefused(log, error, requestId, socket)
    },
    onDropped: events.connectionDropped,
  }
}

function openConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => error === null ? resolve(count) : reject(error))
  })
}

function adminServer(config: Config, onRequest: Handle, log: Log): Server {
  return createPublicServer({ ...serverOptions(config, 'admin', log), onRequest, onUpgrade: answerUpgrade(onRequest) })
}

/** Who asks for another protocol is answered as if it had not (RFC 9110 7.8). */
function answerUpgrade(onRequest: Handle): HandleUpgrade {
  return (req, socket, _head, exchange) => { onRequest(req, createUpgradeResponse(req, socket), exchange) }
}

function serverOptions(config: Config, listener: 'public' | 'admin', log: Log) {
  const { timeout } = config.serve[listener]
  const { limits, trusted_proxies: trustedProxies } = config.serve.public
  return {
    timeout: { read: durationMs(timeout.read), write: durationMs(timeout.write), idle: durationMs(timeout.idle) },
    limits: { headerBytes: limits.header_bytes, connections: limits.connections, minBodyRate: limits.min_body_rate },
    requestIdOf: createRequestIds(trustedProxies),
    onRefused: (error: GatewayError, requestId: string, socket: Socket) => { logRefused(log, error, requestId, socket) },
  }
}
