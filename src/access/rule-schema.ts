/**
 * The shape of an access rule, declared once: validation, types and the reference in the README come from it. What a
 * rule must have is checked in `compile-rule.ts`, in the words of contract 1.2.
 */
import type { FromSchema } from 'json-schema-to-ts'

import { tlsProperties } from '../config/sections/upstream-tls.js'

const duration = { type: 'string', pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$' } as const
const extra = { '^x-': {} } as const

const config = { type: 'object', description: 'What the handler is told; merged over the handler\'s global `config`.' } as const
const handler = { type: 'string', description: 'Name of the handler.' } as const
const entry = { type: 'object', additionalProperties: false, patternProperties: extra, properties: { handler, config } } as const

const authenticator = {
  type: 'object', additionalProperties: false, patternProperties: extra,
  properties: {
    handler, config,
    optional: { type: 'boolean', description: 'Whether the next authenticator is asked when this one refuses the credentials.' },
  },
} as const

const match = {
  type: 'object', additionalProperties: false, patternProperties: extra,
  properties: {
    url: { type: 'string', maxLength: 4096, description: 'Scheme, host and path, without query. What stands between `<` and `>` is an expression of `access_rules.matching_strategy`.' },
    methods: { type: 'array', items: { type: 'string', minLength: 1 }, description: 'Request methods, in any case. Without one the rule matches nothing.' },
    encoded_slashes: { enum: ['reject', 'allow'], description: 'Whether a path with `%2F` or `%5C` is accepted. Default: `reject`.' },
    authority: { type: 'string', description: 'gRPC: accepted, matches no HTTP request.' },
    full_method: { type: 'string', description: 'gRPC: accepted, matches no HTTP request.' },
    allow_http_get: { type: 'boolean', description: 'gRPC: accepted, matches no HTTP request.' },
  },
} as const

const tls = {
  type: 'object', additionalProperties: false,
  description: 'How an https upstream is checked, key by key over `proxy.tls`. Files are PEM, relative to the configuration, and read when rules are loaded.',
  properties: tlsProperties,
} as const

const upstream = {
  type: 'object', additionalProperties: false, patternProperties: extra,
  properties: {
    url: { type: 'string', description: 'Where allowed requests go; its path is put before theirs. Without it the rule only serves the decision API.' },
    preserve_host: { type: 'boolean', description: 'Whether the upstream gets the client\'s `Host`. Default: false.' },
    strip_path: { type: 'string', description: 'Prefix that is cut off the path, at a segment boundary.' },
    timeout: {
      type: 'object', additionalProperties: false,
      properties: {
        connect: { ...duration, description: 'Connecting; 502 beyond it. Default: `proxy.timeout.connect`.' },
        response: { ...duration, description: 'Waiting for the head of the response; 504 beyond it. Default: `proxy.timeout.response`.' },
      },
    },
    tls,
    max_body_bytes: { type: 'integer', minimum: 0, description: 'Size of a request body, 413 beyond it; 0 is no limit. Default: `serve.public.limits.body_bytes`.' },
    keep_alive: { type: 'boolean', description: 'Whether connections are used again. Default: true.' },
    body_on_safe_methods: { type: 'boolean', description: 'Whether a GET, HEAD or OPTIONS request may have a body. Default: false.' },
  },
} as const

const response = {
  type: 'object', additionalProperties: false,
  description: 'Header fields of the upstream\'s answer. Answers of the gateway itself are left alone.',
  properties: {
    set: { type: 'object', additionalProperties: { type: 'string' }, description: 'Template of each field\'s value, in place of the upstream\'s; `Set-Cookie` joins the upstream\'s. A field whose template gives nothing is not sent.' },
    remove: { type: 'array', items: { type: 'string' }, description: 'Names of fields that the client does not get.' },
  },
} as const

export const ruleSchema = {
  type: 'object', additionalProperties: false, patternProperties: extra,
  properties: {
    id: { type: 'string', maxLength: 190, description: 'Names the rule in logs and in the API; no two rules share one.' },
    version: { type: 'string', description: 'The version of Oathkeeper that the rule was written for; older forms are brought up to date.' },
    description: { type: 'string', description: 'For people.' },
    match, upstream, response,
    authenticators: { type: 'array', items: authenticator, description: 'Asked in order until one is responsible.' },
    authorizer: { ...entry, description: 'Whether who was found may pass.' },
    authorizers: { type: 'array', items: entry, description: 'More of them; all must allow.' },
    mutators: { type: 'array', items: entry, description: 'What the upstream is told, in order.' },
    errors: { type: 'array', items: entry, description: 'How failures are answered; at most one may be responsible.' },
  },
} as const

/** A rule as its file has it. */
export type RuleDocument = FromSchema<typeof ruleSchema>

/** An entry of `authenticators`, `authorizers`, `mutators` or `errors`. */
export type HandlerEntry = FromSchema<typeof authenticator>
