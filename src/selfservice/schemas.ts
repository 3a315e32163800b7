/** Identity schemas, for whoever builds forms or shows traits (contract 1.12). */
import { GatewayError } from '../errors.js'
import type { Reply } from '../http/reply.js'
import type { SelfService } from './service.js'

/** The bytes of the schema as configured; 404 for an unknown id. */
export function readSchema(id: string, { schemas }: SelfService): Reply {
  const schema = schemas.get(id)
  if (schema === undefined) throw new GatewayError('unknown_resource')
  return { status: 200, body: { type: 'application/json; charset=utf-8', content: schema.document } }
}
