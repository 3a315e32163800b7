/**
 * The one declaration of the configuration. Validation, defaults, types, `config/oathgate.schema.json` and the README's
 * reference all come from it.
 */
import type { FromSchema } from 'json-schema-to-ts'

import { accessRules, authenticators, authorizers, errorHandlers, mutators } from './sections/access.js'
import { dsn, hashers, identity, secrets, security, session, store, urls } from './sections/identity.js'
import { selfservice } from './sections/selfservice.js'
import { log, metrics, proxy, serve } from './sections/serve.js'
import { tracing } from './sections/tracing.js'

export const configSchema = {
  type: 'object', additionalProperties: false, required: ['urls', 'identity', 'selfservice'],
  properties: {
    dsn, serve, proxy, log, metrics, tracing, urls, secrets, identity, selfservice, session, hashers, security, store,
    access_rules: accessRules, authenticators, authorizers, mutators, errors: errorHandlers,
  },
} as const

/** The configuration after loading: aliases resolved, defaults filled in, the environment laid over it, validated. */
export type Config = FromSchema<typeof configSchema>
