/** `when`: which failures of which requests an error handler is responsible for (contract 2.5.5). */
import { BlockList, isIP } from 'node:net'
import type { FromSchema } from 'json-schema-to-ts'

import type { GatewayError } from '../../errors.js'
import type { AccessRequest } from '../../http/access-request.js'
import { ConfigMistake } from '../config-mistake.js'
import { statusName, statusNames } from './status-names.js'

const mediaTypes = { type: 'array', items: { type: 'string', minLength: 1 } } as const
const cidrs = { type: 'array', items: { type: 'string' } } as const

/** The schema of `when`, for the schemas of error handlers. */
export const whenSchema = {
  type: 'array',
  description: 'The handler is responsible when one of the items fits; always when there is none.',
  items: {
    type: 'object', additionalProperties: false,
    properties: {
      error: { type: 'array', items: { enum: statusNames }, description: 'Names of failures, one of which it must be: `unauthorized`, `forbidden`, `not_found`, ...' },
      request: {
        type: 'object', additionalProperties: false,
        properties: {
          header: {
            type: 'object', additionalProperties: false,
            properties: {
              accept: { ...mediaTypes, description: 'Media types, one of which the client must name. A wildcard that the client sends is not one of them.' },
              content_type: { ...mediaTypes, description: 'Media types, one of which the request\'s body must have.' },
            },
          },
          cidr: { ...cidrs, description: 'Networks, one of which the client\'s address must be in.' },
          remote_ip: {
            type: 'object', additionalProperties: false,
            properties: {
              match: { ...cidrs, description: 'Networks, one of which the client\'s address must be in.' },
              respect_forwarded_for_header: { type: 'boolean', default: false, description: 'Whether any entry of `X-Forwarded-For` counts, too. Clients can write what they like there.' },
            },
          },
        },
      },
    },
  },
} as const

export type When = FromSchema<typeof whenSchema>

/** Whether a handler is responsible. The request is absent when it was refused before it could be read. */
export type Responsible = (error: GatewayError, request: AccessRequest | undefined) => boolean

/** Throws `ConfigMistake` for what is no network. */
export function compileWhen(when: When | undefined): Responsible {
  if (when === undefined || when.length === 0) return () => true
  const items = when.map((item, index) => compileItem(item, index))
  return (error, request) => items.some(fits => fits(error, request))
}

type Item = When[number]
type RequestPart = NonNullable<Item['request']>

function compileItem({ error: names = [], request: part = {} }: Item, index: number): Responsible {
  const conditions = compileRequestPart(part, index)
  return (error, request) => {
    if (names.length > 0 && !names.includes(statusName(error.status))) return false
    return conditions.length === 0 || (request !== undefined && conditions.every(fits => fits(request)))
  }
}

function compileRequestPart({ header = {}, cidr, remote_ip: remoteIp }: RequestPart, index: number): ((request: AccessRequest) => boolean)[] {
  const conditions: ((request: AccessRequest) => boolean)[] = []
  const { accept, content_type: contentType } = header
  if (accept !== undefined && accept.length > 0) {
    conditions.push(({ headers }) => names(headers.accept, accept))
  }
  if (contentType !== undefined && contentType.length > 0) {
    conditions.push(({ headers }) => names(headers['content-type'], contentType))
  }
  if (cidr !== undefined && cidr.length > 0) {
    const networks = readNetworks(cidr, [index, 'request', 'cidr'])
    conditions.push(({ clientAddress }) => isIn(networks, clientAddress))
  }
  if (remoteIp?.match !== undefined && remoteIp.match.length > 0) {
    const networks = readNetworks(remoteIp.match, [index, 'request', 'remote_ip', 'match'])
    const forwarded = remoteIp.respect_forwarded_for_header === true
    conditions.push(({ clientAddress, headers }) => (
      isIn(networks, clientAddress) || (forwarded && forwardedFor(headers['x-forwarded-for']).some(address => isIn(networks, address)))
    ))
  }
  return conditions
}

/** Whether the header field names one of the media types; `type/*` and `*` + `/*` are wildcards on our side only. */
function names(field: string | undefined, wanted: readonly string[]): boolean {
  const sent = (field ?? 'application/octet-stream').split(',').map(range => (range.split(';')[0] as string).trim().toLowerCase())
  return wanted.some(type => {
    const lower = type.toLowerCase()
    if (lower === '*/*') return true
    if (lower.endsWith('/*')) return sent.some(range => range.startsWith(lower.slice(0, -1)))
    return sent.includes(lower)
  })
}

function readNetworks(cidrs: readonly string[], path: readonly (string | number)[]): BlockList {
  const networks = new BlockList()
  for (const [index, cidr] of cidrs.entries()) {
    const [address = '', bits = '', ...rest] = cidr.split('/')
    const family = isIP(address)
    const most = family === 4 ? 32 : 128
    if (family === 0 || rest.length > 0 || !/^[0-9]{1,3}$/.test(bits) || Number(bits) > most) {
      throw new ConfigMistake(['when', ...path, index], `"${cidr}" is no network such as 10.0.0.0/8`)
    }
    networks.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  return networks
}

function isIn(networks: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && networks.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function forwardedFor(field: string | string[] | undefined): string[] {
  return (Array.isArray(field) ? field.join(',') : field ?? '').split(',').map(address => address.trim())
}
