/** Header fields of a request that are passed on to a service a rule asks. */
import type { AccessRequest } from '../http/access-request.js'
import { connectionFields } from './header-names.js'

/** The fields of these names that the request has. Names in any case; those that belong to the connection are left out. */
export function namedHeaders({ headers }: AccessRequest, names: readonly string[]): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const name of names) {
    const value = headers[name.toLowerCase()]
    if (typeof value === 'string' && !connectionFields.has(name.toLowerCase())) passed[name.toLowerCase()] = value
  }
  return passed
}

/** All fields but those of the connection, and those that `Connection` names (RFC 9110 7.6.1). */
export function endToEndHeaders(request: AccessRequest): Record<string, string> {
  const nominated = (request.headers.connection ?? '').toLowerCase().split(',').map(name => name.trim())
  return namedHeaders(request, Object.keys(request.headers).filter(name => !nominated.includes(name)))
}
