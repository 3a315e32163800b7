/** The authority of a request in its one canonical spelling. */

const defaultPorts = { http: 80, https: 443 } as const
const name = /^((?:[a-z0-9_-]+\.)*[a-z0-9_-]+)\.?(?::([0-9]{1,5}))?$/i
const ipv6 = /^(\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?$/i

/**
 * `Example.ORG.:80` is `example.org` for http: lower-case, without a trailing dot and the scheme's own port. `undefined` when it
 * is no host name, IPv4 address or bracketed IPv6 address with at most a port (RFC 9112 section 3.2, security U14).
 */
export function readHost(authority: string, scheme: 'http' | 'https'): string | undefined {
  if (authority.length > 261) return undefined

  const [, host, digits] = name.exec(authority) ?? ipv6.exec(authority) ?? []
  if (host === undefined) return undefined
  if (digits === undefined) return host.toLowerCase()

  const port = Number(digits)
  if (port === 0 || port > 65535) return undefined
  return port === defaultPorts[scheme] ? host.toLowerCase() : `${host.toLowerCase()}:${port}`
}
