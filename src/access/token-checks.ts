/** What a rule asks of a token, whoever vouches for it: audience, issuer, scopes (contract 2.1.4, 2.1.5). */
import type { FromSchema } from 'json-schema-to-ts'

import type { JsonValue } from '../store/records.js'
import { scopeStrategy, scopeStrategySchema } from './scope-strategy.js'

const texts = { type: 'array', items: { type: 'string' }, default: [] } as const

/** The keys of a handler's configuration that are about the check. */
export const tokenCheckProperties = {
  scope_strategy: scopeStrategySchema,
  required_scope: { ...texts, description: 'Scopes that must all have been granted.' },
  target_audience: { ...texts, description: 'Audiences that the token must all be meant for.' },
  trusted_issuers: { ...texts, description: 'Who may have issued the token. Default: anybody who is believed otherwise.' },
} as const

const schema = { type: 'object', additionalProperties: false, properties: tokenCheckProperties } as const
export type TokenCheckOptions = FromSchema<typeof schema>

export interface TokenFacts {
  readonly audience: readonly string[]
  readonly issuer: string | undefined
  readonly scopes: readonly string[]
}

/** Makes the check: what is wrong with the token, in a sentence, or `undefined`. With strategy `none` it compares no scopes. */
export function compileTokenCheck(options: TokenCheckOptions): (token: TokenFacts) => string | undefined {
  const covers = scopeStrategy(options.scope_strategy)
  return ({ audience, issuer, scopes }) => {
    const missed = options.target_audience.find(wanted => !audience.includes(wanted))
    if (missed !== undefined) return `Token audience is not intended for target audience ${missed}`

    const trusted = options.trusted_issuers.length === 0 || (issuer !== undefined && options.trusted_issuers.includes(issuer))
    if (!trusted) return 'Token issuer does not match any trusted issuer'

    const lacking = covers === undefined ? undefined : options.required_scope.find(wanted => !covers(scopes, wanted))
    return lacking === undefined ? undefined : `Scope ${lacking} was not granted`
  }
}

/** A claim that is a text or a list of texts, as a list. */
export function textList(value: JsonValue | undefined): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
}

/** Scopes are separated by spaces, or come as a list (RFC 6749 3.3). */
export function scopeList(value: JsonValue | undefined): string[] {
  return typeof value === 'string' ? value.split(' ').filter(scope => scope !== '') : textList(value)
}
