/** Upstream URLs that lead back to the gateway: to its admin API, or round in circles (security A15). */
import { isIP } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'

import { isLoopback } from '../config/loopback.js'
import type { Config } from '../config/schema.js'

/** Where the gateway listens. */
type Listener = Pick<Config['serve']['admin'], 'host' | 'port'>

/** What is wrong with an upstream URL, as the end of a sentence; `undefined` when it leads elsewhere as far as it shows. */
export type FindOwnListener = (upstream: URL) => string | undefined

/**
 * `admin.url` is `urls.self.admin`. Compares with the addresses that are configured, and for `0.0.0.0` and `::` with those of this machine. What a name
 * resolves to is not asked: that may differ at the next request, and is looked at when it is connected (proxy/own-listeners.ts). A port of 0 is not known yet.
 */
export function createOwnListenerCheck(admin: { readonly serve: Listener, readonly url: string }, open: Listener): FindOwnListener {
  const isAdmin = leadsTo(admin.serve)
  const isPublic = leadsTo(open)
  const adminUrl = new URL(admin.url)

  return upstream => {
    if (isAdmin(upstream) || (hostOf(upstream) === hostOf(adminUrl) && portOf(upstream) === portOf(adminUrl))) {
      return 'is the gateway\'s own admin API: whoever the rule lets pass could read and delete identities'
    }
    return isPublic(upstream) ? 'is the gateway\'s own public listener: requests would go round in circles' : undefined
  }
}

function leadsTo({ host, port }: Listener): (upstream: URL) => boolean {
  if (port === 0) return () => false
  const own = plainHost(host)
  const isOwnHost = isUnspecified(own) ? isThisMachine : isLoopback(own) ? isHere : (name: string) => name === own || isUnspecified(name)
  return upstream => portOf(upstream) === port && isOwnHost(hostOf(upstream))
}

function isThisMachine(host: string): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap(found => found ?? []).map(({ address }) => plainHost(address))
  return isHere(host) || addresses.includes(host) || host === hostname().toLowerCase()
}

/** To connect to no address in particular is to connect to loopback. */
function isHere(host: string): boolean {
  return isLoopback(host) || isUnspecified(host)
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function hostOf({ hostname: name }: URL): string {
  const [, high, low] = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(name) ?? []
  if (high === undefined || low === undefined) return name.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  const bits = Number.parseInt(high, 16) * 0x10000 + Number.parseInt(low, 16)
  return [24, 16, 8, 0].map(shift => (bits >>> shift) & 255).join('.')
}

/** A host in the spelling that URLs have after parsing; an IPv4 address that is written as IPv6 is itself. */
function plainHost(host: string): string {
  const authority = `http://${isIP(host) === 6 ? `[${host}]` : host}`
  return URL.canParse(authority) ? hostOf(new URL(authority)) : host
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}
