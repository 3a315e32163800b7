/** `serve.public.tls`: what the public listener shows clients that speak TLS, and how people get from http to https. */

import { duration } from './duration.js'

const file = { type: 'string', minLength: 1 } as const

const half = (what: string) => ({
  type: 'object', additionalProperties: false, default: {},
  properties: {
    path: { ...file, description: `File of the ${what}, as Oathkeeper and Kratos spell it.` },
    base64: { type: 'string', minLength: 1, description: `The ${what} itself: its PEM text in base64.` },
  },
} as const)

const redirect = {
  type: 'object', additionalProperties: false, default: {},
  description: 'A listener for plain HTTP that answers 308 to the same URL in https. The port of that is the one of `urls.self.public`; a host that no certificate is for is refused with 400.',
  properties: {
    enabled: { type: 'boolean', default: false, description: 'Whether there is one.' },
    host: { type: 'string', minLength: 1, description: 'Address to listen on. Default: `serve.public.host`.' },
    port: { type: 'integer', minimum: 0, maximum: 65535, default: 4480, description: 'Port to listen on, which browsers must reach as port 80; 0 picks a free one.' },
  },
} as const

/** Patterns whose sentences are in `validate.ts`. */
export const domainName = '^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'
export const mailAddress = '^[^@\\s]+@[^@\\s]+$'

const acme = {
  type: 'object', additionalProperties: false, default: {},
  description: 'Certificates by ACME (HTTP-01), one for each domain. Account, keys and certificates are in the store, the keys encrypted with `secrets.session`; of several replicas one asks, and all have them. Until the first is there, handshakes are refused.',
  properties: {
    domains: { type: 'array', items: { type: 'string', pattern: domainName }, uniqueItems: true, default: [], description: 'Host names to have certificates for; none turns ACME off. Port 80 of each must lead to `redirect`.' },
    directory_url: { type: 'string', format: 'http-url', default: 'https://acme-v02.api.letsencrypt.org/directory', description: 'Directory of the certificate authority; Let\'s Encrypt unless set.' },
    terms_of_service_agreed: { type: 'boolean', default: false, description: 'Whether you agree to the terms of that authority; it must be `true`.' },
    email: { type: 'string', pattern: mailAddress, description: 'Where the authority may write to.' },
    renew_before: { ...duration, description: 'How long before its end a certificate is renewed, though never in the first half of its life. Default: a third of its life.' },
    ca_file: { ...file, description: 'Authorities, in PEM, that the directory\'s own certificate may be from besides those that Node trusts.' },
  },
} as const

const hsts = {
  type: 'object', additionalProperties: false, default: {},
  description: '`Strict-Transport-Security`, sent with every answer over TLS in place of what upstreams send. Off unless `max_age` is set: browsers that have seen it refuse plain HTTP until it ends, and nobody can call that back.',
  properties: {
    max_age: { type: 'integer', minimum: 0, description: 'Seconds that browsers keep to https; begin with 300 and end with 63072000 (two years). 0 tells them to forget.' },
    include_subdomains: { type: 'boolean', default: false, description: 'Whether it holds for all hosts below this one, too.' },
    preload: { type: 'boolean', default: false, description: 'Whether browsers may ship with it: needs `include_subdomains` and a `max_age` of a year at least.' },
  },
} as const

export const publicTls = {
  type: 'object', additionalProperties: false, default: {},
  description: 'TLS on the public listener: on as soon as a certificate or a domain for ACME is named. Files are PEM, relative to the configuration, and read again when they change; a pair that is broken then is told in the log, and the one before stays.',
  properties: {
    enabled: { type: 'boolean', default: true, description: '`false` turns it off, whatever certificates are named.' },
    certificates: {
      type: 'array', default: [], description: 'Certificates with their keys. The client is shown the first that is for the name it asks for (a wildcard stands for one label), or the first of all.',
      items: {
        type: 'object', additionalProperties: false, required: ['cert_file', 'key_file'],
        properties: {
          cert_file: { ...file, description: 'The certificate, and behind it those between it and its authority.' },
          key_file: { ...file, description: 'Key of that certificate, without a passphrase.' },
        },
      },
    },
    cert: half('certificate'),
    key: half('key'),
    min_version: { enum: ['TLSv1.2', 'TLSv1.3'], default: 'TLSv1.2', description: 'The oldest version of TLS that is spoken.' },
    acme,
    redirect,
    hsts,
  },
} as const
