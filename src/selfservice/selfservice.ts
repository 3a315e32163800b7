/** Builds self-service from the configuration: everything that can be decided before the first visit. */
import type { Config } from '../config/schema.js'
import { durationMs } from '../config/duration.js'
import { createOriginList } from '../http/origins.js'
import type { IdentitySchema, IdentitySchemas } from '../identity/identity-schema.js'
import type { Hasher } from '../identity/password-hash.js'
import type { PasswordPolicy } from '../identity/password-policy.js'
import type { Sessions } from '../session/sessions.js'
import type { Method } from '../store/records.js'
import type { Store } from '../store/store.js'
import { createBrowserCookies } from './browser-cookies.js'
import { compileJobs } from './jobs/compile.js'
import { createKnownDevices } from './known-device.js'
import { createRateLimits } from './rate-limits.js'
import type { SelfServiceObserver } from './observer.js'
import type { SelfService, SelfServiceUrls } from './service.js'
import { createOidcStrategy } from './strategies/oidc/oidc.js'
import type { ProviderSettings } from './strategies/oidc/settings.js'
import { createPasswordStrategy } from './strategies/password.js'

/** What self-service is built on. */
export interface SelfServiceParts {
  readonly store: Store
  readonly sessions: Sessions
  readonly schemas: IdentitySchemas
  /** As of sessions: the first signs, all verify. */
  readonly secrets: readonly string[]
  readonly hasher: Hasher
  readonly policy: PasswordPolicy
  /** Read by `readProviders`. */
  readonly providers: readonly ProviderSettings[]
  /** Learns what went wrong with a provider; nothing secret. */
  readonly onProviderFailure: (provider: string, detail: string) => void
  readonly observer: SelfServiceObserver
}

/** The configuration has been checked (`checkJobs` too). */
export function createSelfService(config: Config, parts: SelfServiceParts): SelfService {
  const { store, sessions, schemas, secrets, hasher, policy, providers, onProviderFailure, observer } = parts
  const { strategies, registration, login } = config.selfservice
  const urls = selfServiceUrls(config)
  const cookies = createBrowserCookies(config)
  const jobs = compileJobs(config, { sessions, cookies, publicUrl: urls.public }, observer.jobFailed)
  const schema = schemas.get('default') as IdentitySchema

  const methods: Method[] = []
  if (strategies.password.enabled) methods.push('password')
  if (strategies.oidc.enabled) methods.push('oidc')

  return {
    store, sessions, cookies, schemas, urls, observer,
    limits: createRateLimits(config.security.rate_limits, store, observer.rateLimited),
    devices: createKnownDevices(secrets),
    hidesAccounts: config.security.account_enumeration.mitigate,
    model: {
      publicUrl: urls.public,
      methods,
      traitFields: schema.fields,
      providers: providers.map(({ id }) => id),
    },
    flows: {
      registration: {
        lifespanMs: durationMs(registration.request_lifespan), uiUrl: config.urls.registration_ui, jobs: jobs.registration,
      },
      login: { lifespanMs: durationMs(login.request_lifespan), uiUrl: config.urls.login_ui, jobs: jobs.login },
    },
    password: strategies.password.enabled ? createPasswordStrategy({ store, schema, policy, hasher }) : undefined,
    oidc: strategies.oidc.enabled
      ? createOidcStrategy({
        providers, schema, redirectUri: urls.oidcCallback, onFailure: onProviderFailure,
        onlyProvenIdentifiers: config.security.account_enumeration.mitigate,
      })
      : undefined,
  }
}

function selfServiceUrls({ urls, selfservice }: Config): SelfServiceUrls {
  const publicUrl = urls.self.public.replace(/\/+$/, '')
  const pages = [publicUrl, urls.registration_ui, urls.login_ui]
  const whitelisted = urls.whitelisted_return_to_domains
  return {
    public: publicUrl,
    oidcCallback: provider => `${publicUrl}/auth/browser/methods/oidc/callback/${provider}`,
    errorUi: urls.error_ui,
    defaultReturnTo: urls.default_return_to,
    afterLogout: selfservice.logout.redirect_to,
    returnTo: createOriginList(whitelisted),
    trustedOrigins: createOriginList([...pages, ...whitelisted]),
  }
}
