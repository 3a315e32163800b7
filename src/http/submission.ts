/** The body of a form submit, read once with limits: urlencoded as ordered pairs, or a JSON object (contract 4.1). */
import type { Context, Middleware } from 'koa'

import { GatewayError } from '../errors.js'
import { inviteBody } from './framing.js'

/** What a browser or a script sent. */
export type Submission =
  | { readonly kind: 'form', readonly pairs: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'json', readonly document: Readonly<Record<string, unknown>> }
  /** Nothing that a form could be read from; the code and parameters of a problem for the form to show. */
  | { readonly kind: 'unreadable', readonly problem: { readonly code: string, readonly params?: { readonly [name: string]: string } } }

/** Most bytes of a body that the gateway reads itself (security D3). */
export const bodyLimit = 65_536

/** Most fields of one form (security D5). */
const fieldLimit = 100

/**
 * Reads the body of self-handled routes into `ctx.request.body`; 413 beyond `limit` bytes, 415 for what is compressed (security
 * D4) or not said to be UTF-8, 400 for what is no UTF-8 after all (security J8).
 */
export function readBody(limit = bodyLimit): Middleware {
  let parser: ReturnType<typeof createParser> | undefined
  return async (ctx, next) => {
    const encoding = ctx.get('content-encoding')
    if (encoding !== '' && encoding !== 'identity') {
      throw new GatewayError('unsupported_media_type', { reason: 'A compressed request body is not accepted here.' })
    }
    const charset = charsetOf(ctx.get('content-type'))
    if (charset !== undefined && charset !== 'utf-8') {
      throw new GatewayError('unsupported_media_type', { reason: `Text is accepted in UTF-8, not in ${charset.slice(0, 40)}.` })
    }
    // The parser counts with 32 bits.
    if (Number(ctx.get('content-length')) > limit) throw tooLarge(limit)
    inviteBody(ctx.req, ctx.res)
    const parse = await (parser ??= createParser(limit))
    await parse(ctx, async () => {
      // What the decoder puts in place of bytes that are none would make different passwords the same.
      if (rawBodyOf(ctx)?.includes('\ufffd') === true) throw new GatewayError('bad_request', { reason: 'The request body is not valid UTF-8.' })
      await next()
    })
  }
}

async function createParser(limit: number): Promise<Middleware> {
  const { koaBody } = await import('koa-body') // see load-later.ts
  return koaBody({
    json: true, urlencoded: true, text: false, multipart: false, includeUnparsed: true, patchNode: false,
    jsonLimit: limit, formLimit: limit, queryString: { allowPrototypes: false, parameterLimit: fieldLimit },
    onError: error => { throw unreadable(error, limit) },
  })
}

/** The submit in a body that `readBody` has read. Throws `bad_request` for more fields than any form has. */
export function readSubmission(ctx: Context): Submission {
  const contentType = ctx.get('content-type')
  const text = rawBodyOf(ctx)
  if (text === undefined && !ctx.request.length && ctx.get('transfer-encoding') === '') {
    return { kind: 'unreadable', problem: { code: 'body_empty' } }
  }
  if (text === undefined) {
    return { kind: 'unreadable', problem: { code: 'body_content_type', params: { contentType: contentType.slice(0, 200) } } }
  }
  if (text.trim() === '') return { kind: 'unreadable', problem: { code: 'body_empty' } }

  const mediaType = contentType.split(';')[0]?.trim().toLowerCase()
  if (mediaType === 'application/json') {
    const document: unknown = JSON.parse(text)
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
      return { kind: 'json', document: document as Record<string, unknown> }
    }
    throw new GatewayError('bad_request', { reason: 'The JSON body must be an object.' })
  }
  if (mediaType === 'application/x-www-form-urlencoded') return decodeForm(text)
  return { kind: 'unreadable', problem: { code: 'body_content_type', params: { contentType: contentType.slice(0, 200) } } }
}

/** The first value of a field that no trait can have, such as `csrf_token`; `undefined` when it is absent or not a text. */
export function submittedText(submission: Submission, name: string): string | undefined {
  if (submission.kind === 'unreadable') return undefined
  if (submission.kind === 'form') return submission.pairs.find(([field]) => field === name)?.[1]
  const value = Object.hasOwn(submission.document, name) ? submission.document[name] : undefined
  return typeof value === 'string' ? value : undefined
}

function charsetOf(contentType: string): string | undefined {
  const params = contentType.split(';').slice(1).map(part => part.trim().toLowerCase())
  return params.find(param => param.startsWith('charset='))?.slice('charset='.length).replaceAll('"', '')
}

/** The text that was read, for the types that are read at all. */
function rawBodyOf(ctx: Context): string | undefined {
  const { rawBody } = ctx.request as { rawBody?: unknown }
  return typeof rawBody === 'string' ? rawBody : undefined
}

function decodeForm(text: string): Submission {
  const pairs: [string, string][] = []
  for (const field of text.split('&')) {
    if (field === '') continue
    if (pairs.length === fieldLimit) {
      throw new GatewayError('bad_request', { reason: `A form has at most ${fieldLimit} fields.` })
    }
    const at = field.indexOf('=')
    const name = at === -1 ? field : field.slice(0, at)
    const value = at === -1 ? '' : field.slice(at + 1)
    const badEscape = invalidEscape(name) ?? invalidEscape(value)
    if (badEscape !== undefined) {
      return { kind: 'unreadable', problem: { code: 'body_escape', params: { escape: badEscape } } }
    }
    pairs.push([decode(name), decode(value)])
  }
  return { kind: 'form', pairs }
}

/** The first `%` that two hexadecimal digits do not follow, with what follows it instead. */
function invalidEscape(text: string): string | undefined {
  return /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(text)?.[0]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new GatewayError('bad_request', { reason: 'The form holds an escape that is not UTF-8.' })
  }
}

function unreadable(thrown: Error & { status?: number }, limit: number): GatewayError {
  if (thrown.status === 413) return tooLarge(limit)
  // The parser's own message can quote the body, and with it a password.
  return new GatewayError('bad_request', { reason: 'The request body is not valid JSON or not a valid form.' })
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError('payload_too_large', { reason: `The body may have at most ${limit} bytes.` })
}
