/** The configured providers: presets filled in, mappings read, every mistake told with its place in the configuration. */
import type { Config } from '../../../config/schema.js'
import type { IdentitySchema } from '../../../identity/identity-schema.js'
import { fieldName } from '../../../identity/traits.js'
import { declaredMapping, traitPath, type ClaimMapping } from './claim-mapping.js'
import { readMappingSchema } from './mapping-schema.js'
import { presets, type Preset } from './presets.js'
import { isLoopbackHost } from './private-address.js'

interface CommonSettings {
  readonly id: string
  readonly clientId: string
  /** Absent for a public client. */
  readonly clientSecret: string | undefined
  readonly scope: readonly string[]
  readonly mapping: ClaimMapping
}

/** A provider that describes itself. */
export interface OpenidSettings extends CommonSettings {
  readonly protocol: 'openid'
  readonly issuer: URL
  readonly responseMode: 'query' | 'form_post' | undefined
}

/** GitHub, or an Enterprise Server of it. */
export interface GithubSettings extends CommonSettings {
  readonly protocol: 'github'
  readonly authUrl: URL
  readonly tokenUrl: URL
  readonly apiUrl: URL
}

export type ProviderSettings = OpenidSettings | GithubSettings

/** A setting that makes no sense, and the keys that lead to it. */
export interface ProviderProblem {
  readonly path: readonly string[]
  readonly message: string
}

/** Reads `selfservice.strategies.oidc.config.providers`. `schema_url`s are read from where they are; no provider is asked. */
export async function readProviders(config: Config, baseDir: string): Promise<{ providers: ProviderSettings[], problems: ProviderProblem[] }> {
  const { enabled, config: { providers: entries } } = config.selfservice.strategies.oidc
  if (!enabled) return { providers: [], problems: [] }

  const providers: ProviderSettings[] = []
  const problems: ProviderProblem[] = []
  for (const [index, entry] of entries.entries()) {
    const repeated = entries.findIndex(({ id }) => id === entry.id) < index
    const found = [...repeated ? [['id', 'is the id of another provider already'] as const] : [], ...mistakes(entry)]
    const mapping = found.length > 0 ? undefined : await readMapping(entry, baseDir).catch((error: Error) => {
      found.push(['schema_url', `can not be used: ${error.message}`])
      return undefined
    })
    const path = ['selfservice', 'strategies', 'oidc', 'config', 'providers', String(index)]
    problems.push(...found.map(([key, message]) => ({ path: [...path, ...key === '' ? [] : key.split(' ')], message })))
    if (mapping !== undefined) providers.push(settings(entry, presets.get(entry.provider) as Preset, mapping))
  }
  return { providers, problems }
}

/** One sentence for each trait that a provider's claims are mapped to and that the identity schema does not describe. */
export function unknownTraits(providers: readonly ProviderSettings[], schema: IdentitySchema): string[] {
  return providers.flatMap(({ id, mapping }) => mapping.mapped.flatMap(({ trait }) => {
    const field = fieldName(trait.at(-1) === '-1' ? trait.slice(0, -1) : trait)
    const isUnknown = schema.decodeForm([[field, '']]).problems.some(({ code }) => code === 'unknown_trait')
    return isUnknown ? [`provider ${id}: the identity schema has no trait "${field.slice('traits.'.length)}", so whoever signs up there meets a form that can not be completed`] : []
  }))
}

type Entry = Config['selfservice']['strategies']['oidc']['config']['providers'][number]

/** A key of the entry (several, with spaces between, for one below it) and what is wrong with it. */
type Mistake = readonly [key: string, message: string]

function mistakes(entry: Entry): Mistake[] {
  const preset = presets.get(entry.provider)
  if (preset === undefined) return [['provider', `is none of those there are: ${[...presets.keys()].join(', ')}`]]

  const found: Mistake[] = []
  if (preset.needsSecret && entry.client_secret === undefined) found.push(['', `has no client_secret, which ${entry.provider} asks for`])
  if (entry.schema_url !== undefined && entry.claims !== undefined) found.push(['claims', 'can not be used together with schema_url'])
  for (const trait of Object.keys(entry.claims ?? {})) {
    if (traitPath(trait) === undefined) found.push([`claims ${trait}`, 'is not the path of a trait'])
  }
  return [...found, ...preset.protocol === 'openid' ? openidMistakes(entry, preset) : githubMistakes(entry)]
}

function openidMistakes(entry: Entry, preset: Preset): Mistake[] {
  const issuer = entry.issuer_url ?? preset.issuer
  const found: Mistake[] = []
  if (issuer === undefined) found.push(['', `has no issuer_url, which ${entry.provider} needs`])
  else found.push(...urlMistakes('issuer_url', issuer))
  for (const key of ['auth_url', 'token_url', 'api_url'] as const) {
    if (entry[key] !== undefined) found.push([key, 'is for github alone; an OpenID provider tells its URLs itself, below issuer_url'])
  }
  return found
}

function githubMistakes(entry: Entry): Mistake[] {
  const urls = (['auth_url', 'token_url', 'api_url'] as const).flatMap(key => entry[key] === undefined ? [] : urlMistakes(key, entry[key]))
  const idle = (['issuer_url', 'response_mode'] as const).filter(key => entry[key] !== undefined)
  return [...urls, ...idle.map(key => [key, 'is not for github, which is no OpenID provider'] as const)]
}

function urlMistakes(key: string, text: string): Mistake[] {
  const url = new URL(text)
  if (url.protocol !== 'https:' && !isLoopbackHost(url.hostname)) return [[key, 'must be https: over http anybody on the way can sign in as anybody']]
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return [[key, 'must be without credentials, ? and #']]
  return []
}

async function readMapping(entry: Entry, baseDir: string): Promise<ClaimMapping> {
  return entry.schema_url === undefined ? declaredMapping(entry.claims ?? {}) : readMappingSchema(entry.schema_url, baseDir)
}

function settings(entry: Entry, preset: Preset, mapping: ClaimMapping): ProviderSettings {
  const scope = entry.scope ?? preset.scope
  const common = { id: entry.id, clientId: entry.client_id, clientSecret: entry.client_secret, mapping }
  if (preset.protocol === 'github') return {
    ...common,
    protocol: 'github',
    scope,
    authUrl: new URL(entry.auth_url ?? 'https://github.com/login/oauth/authorize'),
    tokenUrl: new URL(entry.token_url ?? 'https://github.com/login/oauth/access_token'),
    apiUrl: new URL(entry.api_url ?? 'https://api.github.com'),
  }
  return {
    ...common,
    protocol: 'openid',
    scope: scope.includes('openid') ? scope : ['openid', ...scope],
    issuer: new URL(entry.issuer_url ?? preset.issuer as string),
    responseMode: entry.response_mode ?? preset.responseMode,
  }
}
