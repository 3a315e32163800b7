/** Header fields of a request that are passed on to a service a rule asks. */
import type { AccessRequest } from '../http/access-request.js'
import { connectionFields, isForwardingField } from './header-names.js'

/**
 * The fields of these names that the request has; names in any case. Those that belong to the connection are left out, and
 * those that only a proxy may say when no trusted one said them.
 */
export function namedHeaders({ headers, peer }: AccessRequest, names: readonly string[]): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const name of names.map(name => name.toLowerCase())) {
    const value = headers[name]
    const travels = !connectionFields.has(name) && (peer.trusted || !isForwardingField(name))
    if (typeof value === 'string' && travels) passed[name] = value
  }
  return passed
}

/** All fields but those of the connection, and those that `Connection` names (RFC 9110 7.6.1). */
export function endToEndHeaders(request: AccessRequest): Record<string, string> {
  const nominated = (request.headers.connection ?? '').toLowerCase().split(',').map(name => name.trim())
  return namedHeaders(request, Object.keys(request.headers).filter(name => !nominated.includes(name)))
}
