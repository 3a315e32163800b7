/** Which addresses are no business of a host that only a provider's own document names (security R10, O5). */
import { lookup as resolve, type LookupAddress } from 'node:dns'
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'

/** IANA's special-purpose registries (RFC 6890), what is not globally reachable. */
const networks = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24',
  '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
  '::/127', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8',
]

const unreachable = new BlockList()
for (const network of networks) {
  const [address = '', bits] = network.split('/')
  unreachable.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** Whether an IP address is not a public one. IPv4 inside IPv6 counts as what it is. */
export function isPrivateAddress(address: string): boolean {
  return unreachable.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** Whether a URL's host says by itself that it is not a public one. URL parsing has made `0x7f.1` and `2130706433` plain by then. */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  return isIP(host) === 0 ? /(^|\.)localhost\.?$/i.test(host) : isPrivateAddress(host)
}

/** Whether a URL's host is this machine, so that plain http to it crosses no network. */
export function isLoopbackHost(hostname: string): boolean {
  return /^(localhost|\[::1\]|127(\.[0-9]+){3})$/.test(hostname)
}

/** Resolves names as Node does, and fails for one that leads to an address that is not public: what is checked is what is connected to. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const found = error === null ? addresses.find(({ address }) => isPrivateAddress(address)) : undefined
    const failure = error ?? (found === undefined ? null : new Error(`${hostname} leads to ${found.address}, which is not a public address`))
    const [first] = addresses ?? []
    if (failure !== null || first === undefined) return callback(failure ?? new Error(`${hostname} has no address`), '', 0)
    if (options.all === true) return callback(null, addresses)
    return callback(null, first.address, first.family)
  })
}
