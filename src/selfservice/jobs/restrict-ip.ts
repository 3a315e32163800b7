/** `restrict_ip`: lets a flow begin from some networks only, the seed's own example of a job. */
import { BlockList, isIPv6 } from 'node:net'
import type { FromSchema } from 'json-schema-to-ts'

import { GatewayError } from '../../errors.js'
import type { Job } from './job.js'

const cidrs = { type: 'array', items: { type: 'string', format: 'cidr' }, default: [] } as const
const config = {
  type: 'object', additionalProperties: false,
  properties: {
    allow: { ...cidrs, description: 'CIDRs that may; empty means everybody that is not denied.' },
    deny: { ...cidrs, description: 'CIDRs that may not, whatever `allow` says.' },
  },
} as const

/** Fails with `forbidden` for everybody else. The client address is that behind `serve.public.trusted_proxies`. */
export const restrictIpJob: Job = {
  name: 'restrict_ip',
  places: ['registration.before', 'login.before'],
  config,
  create: ({ allow, deny }: FromSchema<typeof config>) => {
    const allowed = blockList(allow)
    const denied = blockList(deny)
    return ({ request }) => {
      const address = request.clientAddress
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (denied.check(address, family) || (allow.length > 0 && !allowed.check(address, family))) {
        throw new GatewayError('forbidden', { reason: 'This is not available from your network.', detail: `restrict_ip refused ${address}` })
      }
      return {}
    }
  },
}

function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    list.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  }
  return list
}
