/** `restrict_ip`: lets a flow begin from some networks only, the seed's own example of a job. */
import type { FromSchema } from 'json-schema-to-ts'

import { GatewayError } from '../../errors.js'
import { createTrust } from '../../http/client-address.js'
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
    const isAllowed = createTrust(allow)
    const isDenied = createTrust(deny)
    return ({ request: { clientAddress } }) => {
      if (isDenied(clientAddress) || (allow.length > 0 && !isAllowed(clientAddress))) {
        throw new GatewayError('forbidden', { reason: 'This is not available from your network.', detail: `restrict_ip refused ${clientAddress}` })
      }
      return {}
    }
  },
}
