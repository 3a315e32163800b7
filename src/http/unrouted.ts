/** What a request gets that no route answers. */
import type { Context } from 'koa'

import { GatewayError } from '../errors.js'

/** 405 with `Allow` when its path has other methods (RFC 9110 section 15.5.6), else 404. For behind an `@koa/router`. */
export function unrouted(ctx: Context): GatewayError {
  // The router's routes of this path, whatever their methods.
  const matched = (ctx['matched'] ?? []) as readonly { readonly methods: readonly string[] }[]
  // The router adds HEAD to every GET, and not all of ours answer it.
  const methods = new Set(matched.flatMap(route => route.methods).filter(method => method !== 'HEAD'))
  if (methods.size === 0) return new GatewayError('not_found')
  return new GatewayError('method_not_allowed', { headers: { Allow: [...methods].join(', ') } })
}
