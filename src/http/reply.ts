/** What the gateway's own endpoints answer: a value, turned into a response in one place. */
import type { Context } from 'koa'

export interface Reply {
  readonly status: number
  /** Where a redirect goes, absolute. */
  readonly location?: string
  /** `Set-Cookie` values, in order. */
  readonly cookies?: readonly string[]
  /** Serialised as JSON. */
  readonly json?: unknown
  /** Sent as it is, with its content type. */
  readonly body?: { readonly type: string, readonly content: Buffer | string }
  readonly headers?: Readonly<Record<string, string>>
}

/** 302 to an absolute URL. */
export function redirectTo(location: string, cookies: readonly string[] = []): Reply {
  return { status: 302, location, cookies }
}

/** A JSON document. */
export function jsonReply(status: number, json: unknown, cookies: readonly string[] = []): Reply {
  return { status, json, cookies }
}

/** A page of the company's app, with one more query parameter; those it has stay. */
export function withParameter(page: string, name: string, value: string): string {
  const url = new URL(page)
  url.searchParams.set(name, value)
  return url.href
}

/** Sends a reply. Cookies are added to those already set. */
export function writeReply(ctx: Context, { status, location, cookies = [], json, body, headers = {} }: Reply): void {
  ctx.set({ ...headers })
  for (const cookie of cookies) ctx.append('Set-Cookie', cookie)
  ctx.status = status
  if (location !== undefined) ctx.set('Location', location)

  const content = json === undefined ? body : { type: 'application/json; charset=utf-8', content: JSON.stringify(json) }
  ctx.body = content?.content ?? ''
  if (content === undefined) ctx.remove('Content-Type')
  else ctx.set('Content-Type', content.type)
}
