/** The body of a form submit, read once with limits: urlencoded as ordered pairs, or a JSON object (contract 4.1). */
import { koaBody } from 'koa-body'
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

/** Reads the body of self-handled routes into `ctx.request.body`; 413 beyond the limit, 415 for what is compressed (security D4). */
export function readBody(): Middleware {
  const read = koaBody({
    json: true, urlencoded: true, text: false, multipart: false, includeUnparsed: true, patchNode: false,
    jsonLimit: bodyLimit, formLimit: bodyLimit, queryString: { allowPrototypes: false, parameterLimit: fieldLimit },
    onError: error => { throw unreadable(error) },
  })
  return async (ctx, next) => {
    const encoding = ctx.get('content-encoding')
    if (encoding !== '' && encoding !== 'identity') {
      throw new GatewayError('unsupported_media_type', { reason: 'A compressed request body is not accepted here.' })
    }
    inviteBody(ctx.req, ctx.res)
    await read(ctx, next)
  }
}

/** The submit in a body that `readBody` has read. Throws `bad_request` for more fields than any form has. */
export function readSubmission(ctx: Context): Submission {
  const contentType = ctx.get('content-type')
  const [mediaType = '', ...params] = contentType.split(';').map(part => part.trim().toLowerCase())
  const charset = params.find(param => param.startsWith('charset='))?.slice('charset='.length).replaceAll('"', '')
  if (charset !== undefined && charset !== 'utf-8') {
    throw new GatewayError('unsupported_media_type', { reason: `Text is accepted in UTF-8, not in ${charset}.` })
  }

  const text = (ctx.request as { rawBody?: unknown }).rawBody
  if (typeof text !== 'string' && !ctx.request.length && ctx.get('transfer-encoding') === '') {
    return { kind: 'unreadable', problem: { code: 'body_empty' } }
  }
  if (typeof text !== 'string') {
    return { kind: 'unreadable', problem: { code: 'body_content_type', params: { contentType } } }
  }
  if (text.trim() === '') return { kind: 'unreadable', problem: { code: 'body_empty' } }

  if (mediaType === 'application/json') {
    const document: unknown = JSON.parse(text)
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
      return { kind: 'json', document: document as Record<string, unknown> }
    }
    throw new GatewayError('bad_request', { reason: 'The JSON body must be an object.' })
  }
  if (mediaType === 'application/x-www-form-urlencoded') return decodeForm(text)
  return { kind: 'unreadable', problem: { code: 'body_content_type', params: { contentType } } }
}

/** The first value of a field that no trait can have, such as `csrf_token`; `undefined` when it is absent or not a text. */
export function submittedText(submission: Submission, name: string): string | undefined {
  if (submission.kind === 'unreadable') return undefined
  if (submission.kind === 'form') return submission.pairs.find(([field]) => field === name)?.[1]
  const value = Object.hasOwn(submission.document, name) ? submission.document[name] : undefined
  return typeof value === 'string' ? value : undefined
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

function unreadable(thrown: Error & { status?: number }): GatewayError {
  if (thrown.status === 413) {
    return new GatewayError('payload_too_large', { reason: `The body may have at most ${bodyLimit} bytes.` })
  }
  // The parser's own message can quote the body, and with it a password.
  return new GatewayError('bad_request', { reason: 'The request body is not valid JSON or not a valid form.' })
}
