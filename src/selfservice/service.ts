/** What the flows are made of: everything that is decided when the gateway starts. Built by `createSelfService`. */
import type { OriginList } from '../http/origins.js'
import type { IdentitySchemas } from '../identity/identity-schema.js'
import type { Sessions } from '../session/sessions.js'
import type { Flow } from '../store/records.js'
import type { Store } from '../store/store.js'
import type { BrowserCookies } from './browser-cookies.js'
import type { FlowJobs } from './jobs/compile.js'
import type { KnownDevices } from './known-device.js'
import type { RateLimits } from './rate-limits.js'
import type { SelfServiceObserver } from './observer.js'
import type { FormModel } from './render-flow.js'
import type { OidcStrategy, PasswordStrategy } from './strategies/strategy.js'

/** A kind of flow that has a form. */
export type FlowKind = Flow['kind']

/** What the configuration says of one kind of flow. */
export interface FlowSettings {
  readonly lifespanMs: number
  /** The page of the company's app that shows the form. */
  readonly uiUrl: string
  readonly jobs: FlowJobs
}

export interface SelfService {
  readonly store: Store
  readonly sessions: Sessions
  readonly cookies: BrowserCookies
  readonly schemas: IdentitySchemas
  readonly model: FormModel
  readonly flows: { readonly [kind in FlowKind]: FlowSettings }
  readonly limits: RateLimits
  readonly devices: KnownDevices
  /** Whether registration answers alike for new and for existing identifiers (`security.account_enumeration.mitigate`). */
  readonly hidesAccounts: boolean
  /** Absent when the method is not enabled. */
  readonly password: PasswordStrategy | undefined
  /** Absent when the method is not enabled. */
  readonly oidc: OidcStrategy | undefined
  readonly urls: SelfServiceUrls
  readonly observer: SelfServiceObserver
}

/** Absolute URLs and what is derived from them. */
export interface SelfServiceUrls {
  /** `urls.self.public`, without a trailing slash. */
  readonly public: string
  /** Where a provider sends browsers back to; registered with the provider, so never made from what a request says. */
  readonly oidcCallback: (provider: string) => string
  readonly errorUi: string
  readonly defaultReturnTo: string
  readonly afterLogout: string
  /** `urls.whitelisted_return_to_domains`. */
  readonly returnTo: OriginList
  /** Origins whose pages may submit forms: the gateway's own, the UI pages', the whitelisted ones. */
  readonly trustedOrigins: OriginList
}
