/** What is known of well-known providers, so that an operator only has to name them (contract 5.1). */

/** Defaults of one kind of provider; every setting of an entry in the configuration goes before them. */
export interface Preset {
  /** `github` speaks OAuth 2 and tells who somebody is through its own API. */
  readonly protocol: 'openid' | 'github'
  /** Absent: the operator has to say it. */
  readonly issuer?: string
  readonly scope: readonly string[]
  readonly responseMode?: 'form_post'
  /** Whether the provider deals with clients that have a secret only. */
  readonly needsSecret: boolean
}

const openid = { protocol: 'openid', scope: ['openid', 'email', 'profile'], needsSecret: true } as const

/** By the `provider` of an entry. A new OpenID provider is a line here. */
export const presets: ReadonlyMap<string, Preset> = new Map<string, Preset>([
  ['generic', { ...openid, needsSecret: false }],
  ['google', { ...openid, issuer: 'https://accounts.google.com' }],
  ['github', { protocol: 'github', scope: ['user:email'], needsSecret: true }],
  // Any account of work, school or home; `issuer_url` with a tenant's id in place of `common` for one's own people alone.
  ['microsoft', { ...openid, issuer: 'https://login.microsoftonline.com/common/v2.0' }],
  ['gitlab', { ...openid, issuer: 'https://gitlab.com' }],
  // Apple answers with a form as soon as a name or an address is asked for. Its secret is a JWT that the operator signs.
  ['apple', { ...openid, issuer: 'https://appleid.apple.com', scope: ['openid', 'email', 'name'], responseMode: 'form_post' }],
  ['discord', { ...openid, issuer: 'https://discord.com', scope: ['openid', 'email', 'identify'] }],
  ['slack', { ...openid, issuer: 'https://slack.com' }],
])
