/** Who the client is when proxies stand in between: never what an unknown peer claims (security H6, H7). */
import { BlockList, isIP, isIPv6 } from 'node:net'

/** Tells whether an address lies in one of the CIDRs (a bare address is itself). Throws `Error` for what is neither. */
export function createTrust(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return () => false

  const list = new BlockList()
  for (const cidr of cidrs) addCidr(list, cidr)
  return address => isIP(address) !== 0 && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** `::ffff:192.0.2.1`, as dual-stack sockets say it, is `192.0.2.1`. */
export function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}

/**
 * The nearest address that is not trusted: `X-Forwarded-For` from right to left, as long as a trusted proxy wrote the entry. An
 * entry that is no address ends the walk at whoever sent it.
 */
export function clientAddress(peer: string, forwardedFor: string | undefined, isTrusted: (address: string) => boolean): string {
  let client = peer
  for (const entry of (forwardedFor ?? '').split(',').reverse()) {
    if (!isTrusted(client)) return client
    const address = addressOf(entry.trim())
    if (address === undefined) return client
    client = address
  }
  return client
}

/** IPv4 as it is; of IPv6 the first 64 bits, which one customer can fill with addresses at will (security A5). */
export function addressBucket(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const before = groups(head)
  const after = tail === undefined ? [] : groups(tail)
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  return [...before, ...zeros, ...after].slice(0, 4).map(group => Number.parseInt(group, 16).toString(16)).join(':')
}

function addCidr(list: BlockList, cidr: string): void {
  const [address = '', prefix, ...more] = cidr.split('/')
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  const bits = prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix)
  if (isIP(address) === 0 || more.length > 0 || prefix === '') throw new Error(`${cidr} is not a CIDR`)
  list.addSubnet(address, bits, family)
}

/** Some proxies write the port, too: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function addressOf(entry: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([0-9a-f:.]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/i.exec(entry) ?? []
  const address = bracketed ?? dotted ?? entry
  return isIP(address) === 0 ? undefined : plainAddress(address)
}

function groups(text: string): string[] {
  return text === '' ? [] : text.split(':').flatMap(group => group.includes('.') ? ['0', '0'] : [group])
}
