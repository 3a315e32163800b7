/** Settings of `serve.public.tls` that make no sense, or are not safe, together. */
import type { Config } from './schema.js'

type Tls = Config['serve']['public']['tls']
type Mistake = readonly [path: string, message: string]

const section = 'serve.public.tls'
const year = 31_536_000

/** Whether the public listener speaks TLS. */
export function speaksTls({ serve: { public: { tls } } }: Pick<Config, 'serve'>): boolean {
  return tls.enabled && (tls.certificates.length > 0 || tls.acme.domains.length > 0 || isGiven(tls.cert) || isGiven(tls.key))
}

/** Dotted paths and sentences. */
export function tlsMistakes(config: Config): Mistake[] {
  const { serve: { public: listener }, urls } = config
  const { tls } = listener
  const mistakes = [...halfMistakes(tls), ...hstsMistakes(tls.hsts)]
  if (!tls.enabled) return mistakes
  mistakes.push(...acmeMistakes(tls))
  if (speaksTls(config)) {
    if (new URL(urls.self.public).protocol !== 'https:') {
      mistakes.push(['urls.self.public', `must be https where ${section} has certificates: cookies go by it`])
    }
    if (tls.redirect.enabled && tls.redirect.port !== 0 && tls.redirect.port === listener.port && (tls.redirect.host ?? listener.host) === listener.host) {
      mistakes.push([`${section}.redirect.port`, 'is the port of serve.public; plain HTTP needs one of its own'])
    }
    return mistakes
  }
  if (tls.redirect.enabled) mistakes.push([`${section}.redirect.enabled`, `leads to https, and ${section} has no certificates`])
  if (tls.hsts.max_age !== undefined) mistakes.push([`${section}.hsts.max_age`, `would lock browsers into https, and ${section} has no certificates`])
  return mistakes
}

function acmeMistakes({ acme, redirect }: Tls): Mistake[] {
  if (acme.domains.length === 0) return []
  const mistakes: Mistake[] = []
  if (!acme.terms_of_service_agreed) mistakes.push([`${section}.acme.terms_of_service_agreed`, 'must be true: read the terms of the authority, and say so'])
  if (!redirect.enabled) mistakes.push([`${section}.redirect.enabled`, 'must be true for ACME: the authority asks over plain HTTP'])
  if (!acme.directory_url.startsWith('https:')) mistakes.push([`${section}.acme.directory_url`, 'must be https'])
  return mistakes
}

function halfMistakes({ cert, key }: Tls): Mistake[] {
  const mistakes: Mistake[] = Object.entries({ cert, key }).flatMap(([name, { path, base64 }]) =>
    path !== undefined && base64 !== undefined ? [[`${section}.${name}.base64`, `is the same as ${section}.${name}.path; keep one of them`] as const] : [])
  if (isGiven(cert) && !isGiven(key)) mistakes.push([`${section}.key`, 'is required: a certificate needs its key'])
  if (isGiven(key) && !isGiven(cert)) mistakes.push([`${section}.cert`, 'is required: a key needs its certificate'])
  return mistakes
}

function isGiven({ path, base64 }: Tls['cert']): boolean {
  return path !== undefined || base64 !== undefined
}

/** What hstspreload.org asks of a list entry; a header that it would turn down promises what does not come. */
function hstsMistakes({ max_age: maxAge, include_subdomains: includesSubdomains, preload }: Tls['hsts']): Mistake[] {
  if (maxAge === undefined) {
    return includesSubdomains || preload ? [[`${section}.hsts.max_age`, 'is required: without it the header is not sent']] : []
  }
  if (preload && !(includesSubdomains && maxAge >= year)) {
    return [[`${section}.hsts.preload`, `needs include_subdomains and a max_age of at least ${year} seconds`]]
  }
  return []
}
