/** An identity as the admin API takes it: traits by their schema, and credentials as later Kratos' import has them. */
import { GatewayError } from '../errors.js'
import type { IdentitySchema, IdentitySchemas } from '../identity/identity-schema.js'
import type { Hasher } from '../identity/password-hash.js'
import { problemMessage } from '../selfservice/messages.js'
import type { IdentifierClaim, JsonObject } from '../store/records.js'

/** What a body says an identity is to be. */
export interface IdentityBody {
  readonly schema: IdentitySchema
  readonly traits: JsonObject
  /** Canonical, as the schema finds them in the traits. */
  readonly identifiers: readonly string[]
  /** In clear, or a hash that another system made; absent when the body says nothing of a password. */
  readonly password?: { readonly clear: string } | { readonly hash: string }
  /** `<provider id>:<subject>`; absent when the body says nothing of providers. */
  readonly oidc?: readonly string[]
}

/** Throws `bad_request` with what is wrong, and where in the body; never quotes a credential. */
export function readIdentityBody(body: unknown, schemas: IdentitySchemas, hasher: Hasher): IdentityBody {
  if (!isObject(body)) throw refused('The body must be a JSON object with the members "traits" and, if not "default", "traits_schema_id".')
  onlyKnown(body, ['id', 'traits', 'traits_schema_id', 'traits_schema_url', 'schema_id', 'credentials'])
  if (body['traits_schema_url'] !== undefined) throw refused('Use the traits_schema_id to set a traits schema.')

  const given = body['traits_schema_id'] ?? body['schema_id']
  const schemaId = given === undefined || given === '' ? 'default' : given
  const schema = typeof schemaId === 'string' ? schemas.get(schemaId) : undefined
  if (schema === undefined) throw refused(`The traits schema "${String(schemaId)}" is not configured.`)

  const traits = body['traits'] ?? {}
  if (!isObject(traits)) throw refused('The member "traits" must be an object.')
  const problem = schema.validate(traits as JsonObject)[0]
  if (problem !== undefined) throw refused(beginningLower(problemMessage(problem)))

  const identifiers = schema.identifiers(traits as JsonObject)
  const credentials = readCredentials(body['credentials'], hasher)
  if (credentials.password !== undefined && identifiers.length === 0) {
    throw refused('credentials.password: nobody could log in with it, since the traits hold nothing that the schema marks as an identifier.')
  }
  return { schema, traits: traits as JsonObject, identifiers, ...credentials }
}

/** What nobody else may have: its identifiers, and its sign-ins with providers. */
export function wantedClaims({ identifiers, oidc = [] }: IdentityBody): IdentifierClaim[] {
  return [
    ...identifiers.map(identifier => ({ method: 'password' as const, identifier })),
    ...oidc.map(identifier => ({ method: 'oidc' as const, identifier })),
  ]
}

/** As the predecessor's API words it (contract I4); what is quoted from the schema keeps its case. */
function beginningLower(message: string): string {
  return message.replace(/^(traits\S*: )?([A-Z])/, (_, field: string = '', letter: string) => field + letter.toLowerCase())
}

function readCredentials(value: unknown, hasher: Hasher): Pick<IdentityBody, 'password' | 'oidc'> {
  if (value === undefined || value === null) return {}
  const credentials = object(value, 'credentials')
  onlyKnown(credentials, ['password', 'oidc'], 'credentials.')
  const password = credentials['password'] === undefined ? undefined : readPassword(configOf(credentials['password'], 'credentials.password'), hasher)
  const oidc = credentials['oidc'] === undefined ? undefined : readProviders(configOf(credentials['oidc'], 'credentials.oidc'))
  return { ...(password === undefined ? {} : { password }), ...(oidc === undefined ? {} : { oidc }) }
}

function configOf(value: unknown, path: string): Record<string, unknown> {
  const credential = object(value, path)
  onlyKnown(credential, ['config'], `${path}.`)
  return object(credential['config'], `${path}.config`)
}

function readPassword(config: Record<string, unknown>, hasher: Hasher): NonNullable<IdentityBody['password']> {
  const path = 'credentials.password.config'
  onlyKnown(config, ['hashed_password', 'password'], `${path}.`)
  const { hashed_password: hash, password } = config
  if ((hash === undefined) === (password === undefined)) throw refused(`${path} must have either "hashed_password" or "password".`)
  if (password !== undefined) {
    if (typeof password !== 'string' || password === '') throw refused(`${path}.password must be a text that is not empty.`)
    return { clear: password }
  }
  if (typeof hash !== 'string') throw refused(`${path}.hashed_password must be a text.`)
  const problem = hasher.problemWith(hash)
  if (problem !== undefined) throw refused(`${path}.hashed_password ${problem}.`)
  return { hash }
}

/** Most providers of one identity, and the longest `<provider>:<subject>`. */
const providerLimit = 32
const subjectLimit = 512

function readProviders(config: Record<string, unknown>): string[] {
  const path = 'credentials.oidc.config'
  onlyKnown(config, ['providers'], `${path}.`)
  const providers = config['providers']
  if (!Array.isArray(providers) || providers.length > providerLimit) throw refused(`${path}.providers must be a list of at most ${providerLimit}.`)
  return providers.map((entry, index) => {
    const at = `${path}.providers[${index}]`
    const provider = object(entry, at)
    onlyKnown(provider, ['provider', 'subject'], `${at}.`)
    const { provider: id, subject } = provider
    if (typeof id !== 'string' || !/^[A-Za-z0-9_.-]+$/.test(id)) throw refused(`${at}.provider must be the id of a provider.`)
    if (typeof subject !== 'string' || subject === '') throw refused(`${at}.subject must be a text that is not empty.`)
    if (Buffer.byteLength(`${id}:${subject}`) > subjectLimit) throw refused(`${at} is too long.`)
    return `${id}:${subject}`
  })
}

function onlyKnown(value: Record<string, unknown>, known: readonly string[], path = ''): void {
  const unknown = Object.keys(value).find(name => !known.includes(name))
  if (unknown !== undefined) throw refused(`The member "${path}${unknown}" is not known; known are ${known.join(', ')}.`)
}

function object(value: unknown, path: string): Record<string, unknown> {
  if (!isObject(value)) throw refused(`The member "${path}" must be an object.`)
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A request that can't be, with the reason. */
export function refused(reason: string): GatewayError {
  return new GatewayError('bad_request', { reason })
}
