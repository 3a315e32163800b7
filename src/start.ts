/** Puts the gateway together from a loaded configuration and runs it. The one place where everything meets. */
import type { Acme } from './acme/acme.js'
import { createRemoteAccess } from './access/remote-access.js'
import { watchRules } from './access/repositories.js'
import type { Load } from './admin/status.js'
import { durationMs } from './config/duration.js'
import { ConfigError } from './config/config-error.js'
import type { LoadedConfig } from './config/load.js'
import type { Config } from './config/schema.js'
import { sessionSecrets } from './config/secrets.js'
import { speaksTls } from './config/tls-checks.js'
import { closeAll, drain, pause } from './ending.js'
import { adminHandler, type PublicParts } from './gateway.js'
import { decisionsPath } from './http/forwarded-request.js'
import { hstsValue } from './http/hsts.js'
import { countInFlight } from './http/in-flight.js'
import { listen } from './http/listener.js'
import { loadIdentitySchemas, type IdentitySchema } from './identity/identity-schema.js'
import { createHasher } from './identity/password-hash.js'
import { createPasswordPolicy } from './identity/password-policy.js'
import { adminServer, listenForPlain, openConnections, publicServer, requestReader } from './listeners.js'
import { loadLater } from './load-later.js'
import type { Log } from './log.js'
import { createMetrics, type Fellows, type Metrics } from './metrics/metrics.js'
import { forwarderOptions, hasherOptions, ruleServices, upgraderOptions } from './part-options.js'
import { createForwarder } from './proxy/forward.js'
import { createOwnListeners } from './proxy/own-listeners.js'
import { createUpgrader } from './proxy/upgrade.js'
import { createSelfService, type SelfServiceParts } from './selfservice/selfservice.js'
import type { SelfService } from './selfservice/service.js'
import { readProviders, unknownTraits } from './selfservice/strategies/oidc/settings.js'
import { withSessionCache, type SessionLookUp } from './session/cached-store.js'
import { createSessions } from './session/sessions.js'
import { watchStalls } from './stalls.js'
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
    const own = createOwnListeners()
    const { refusePeer } = own
    const forwarder = tracing.forwarder(createForwarder({ ...forwarderOptions(config), refusePeer }))
    opened.push(() => forwarder.close())
    const upgrader = tracing.upgrader(createUpgrader({ ...upgraderOptions(config), refusePeer }))
    opened.push(async () => { upgrader.close() })

    const inFlight = countInFlight(config.serve.public.limits.in_flight)
    const hsts = hstsValue(config.serve.public.tls.hsts)
    const parts: PublicParts = {
      readRequest: requestReader(config), cors: config.serve.public.cors, inFlight, selfService, rules: currentRules, forwarder, upgrader,
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
    own.add('admin', adminSide)
    const acme = certificates === undefined ? undefined : await openAcme(config, baseDir, { store, secrets, certificates }, log)
    if (acme !== undefined) opened.push(async () => { acme.close() })
    const redirectSide = certificates === undefined ? undefined : await listenForPlain(config, { certificates, readRequest: parts.readRequest, metrics, acme }, log)
    if (redirectSide !== undefined) {
      opened.push(async () => { redirectSide.close() })
      own.add('redirect', redirectSide)
    }
    metrics.watch({
      version, rules: { count: () => rules.current().count, status: rules.status },
      pingStore: store.ping, connections: () => openConnections(server), inFlight: inFlight.count,
      tunnels: () => upgrader.tunnels(), hashing: () => hasher.load(),
      certificateExpiry: () => certificates === undefined ? Infinity : certificates.earliestExpiry() ?? 0,
    })
    const publicSide = await listen(server, config.serve.public.host, config.serve.public.port)
    opened.push(async () => { publicSide.close() })
    own.add('public', publicSide)
    acme?.begin()
    const unwatchStalls = watchStalls(durationMs(config.log.stall_warning), ms => {
      metrics.events.stalled(ms)
      log.warn({ stalled_ms: Math.round(ms) }, 'the process stood still and served nobody')
    })
    opened.push(async () => { unwatchStalls() })
    setImmediate(loadLater)

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
