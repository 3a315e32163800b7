/** Reads a provider's `schema_url`: a JSON Schema of its claims whose `ory.sh/kratos` keywords name traits (contract 5.4). */
import { GatewayError } from '../../../errors.js'
import { parseJsonSource, type JsonPath, type JsonSource } from '../../../identity/json-source.js'
import { checkSchema, type Finding } from '../../../identity/schema-check.js'
import { everyItem } from '../../../identity/schema-fields.js'
import { kratosKeyword } from '../../../identity/schema-keyword.js'
import { readSchemaSource } from '../../../identity/schema-source.js'
import { dialectOf, type ListErrors } from '../../../identity/schema-validator.js'
import { isObject, resolveReference, type SchemaNode } from '../../../identity/schema-walk.js'
import type { JsonObject } from '../../../store/records.js'
import { claimMapping, traitPath, type ClaimMapping, type ClaimPath, type MappedClaim } from './claim-mapping.js'
import { standardClaims } from './claims.js'

/** Rejects with an `Error` that names the source, the place in it, and what is wrong. */
export async function readMappingSchema(url: string, baseDir: string): Promise<ClaimMapping> {
  const { name, bytes } = await readSchemaSource(url, baseDir)
  const source = parse(name, bytes)
  const root = source.value
  const fail = ({ path, message }: Finding): never => {
    throw new Error(`${name}:${source.positionOf(path)}: ${message}`)
  }
  if (!isObject(root)) return fail({ path: [], message: 'a schema of claims is a JSON object' })
  const dialect = dialectOf(root)
  if (dialect === undefined) return fail({ path: ['$schema'], message: '"$schema" is not draft-06, draft-07, 2019-09 or 2020-12' })
  const [metaError] = dialect.metaErrors(root)
  if (metaError !== undefined) fail({ path: pointerPath(metaError.instancePath), message: metaError.message ?? 'is invalid' })
  const [mistake] = checkSchema(root, dialect.isKeyword).mistakes
  if (mistake !== undefined) fail(mistake)

  const mapped = [...mappedClaims(root, { schema: root, path: [] }, [], [], fail)]
  if (mapped.length === 0) fail({ path: [], message: `no claim has "${kratosKeyword}" with mappings, so nothing of them would become a trait` })
  const listErrors = dialect.compile(root)
  return claimMapping(mapped, claims => conforming(standardClaims(claims), listErrors, name))
}

function parse(name: string, bytes: Buffer): JsonSource {
  try {
    return parseJsonSource(bytes)
  } catch (error) {
    throw new Error(`${name}:${(error as Error).message}`, { cause: error })
  }
}

/** Every schema with mappings, and how its value is reached. A reference is followed once on each way. */
function* mappedClaims(
  root: JsonObject, { schema, path }: SchemaNode, claim: ClaimPath, within: readonly string[], fail: (finding: Finding) => never,
): Generator<MappedClaim> {
  for (const [index, mapping] of mappingsOf(schema).entries()) {
    const at = [...path, kratosKeyword, 'mappings', 'identity', 'traits', index, 'path']
    const trait = traitPath(mapping.path)
    if (trait === undefined) fail({ path: at, message: `${JSON.stringify(mapping.path)} is not the path of a trait` })
    if (claim.length === 0) fail({ path: at, message: 'all claims together can not become one trait' })
    yield { claim, trait: trait as string[] }
  }

  const { properties, items, $ref } = schema
  for (const [name, member] of Object.entries(isObject(properties) ? properties : {})) {
    if (isObject(member)) yield* mappedClaims(root, { schema: member, path: [...path, 'properties', name] }, [...claim, name], within, fail)
  }
  if (isObject(items)) yield* mappedClaims(root, { schema: items, path: [...path, 'items'] }, [...claim, everyItem], within, fail)
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    const branches = schema[keyword]
    for (const [index, branch] of (Array.isArray(branches) ? branches : []).entries()) {
      if (isObject(branch)) yield* mappedClaims(root, { schema: branch, path: [...path, keyword, index] }, claim, within, fail)
    }
  }
  const target = typeof $ref === 'string' && !within.includes($ref) ? resolveReference(root, $ref) : undefined
  if (target !== undefined) yield* mappedClaims(root, target, claim, [...within, $ref as string], fail)
}

/** The keyword has been checked. */
function mappingsOf(schema: JsonObject): readonly { readonly path: string }[] {
  const keyword = schema[kratosKeyword] as { mappings?: { identity?: { traits?: { path: string }[] } } } | undefined
  return keyword?.mappings?.identity?.traits ?? []
}

/** The provider says what the operator's schema rules out: nothing that the person could mend. */
function conforming(claims: JsonObject, listErrors: ListErrors, name: string): JsonObject {
  const [error] = listErrors(claims)
  if (error === undefined) return claims
  throw new GatewayError('internal_error', {
    reason: 'The OpenID Connect Provider described you in a way that this site does not expect.',
    detail: `claims do not conform to ${name}: ${error.instancePath} ${error.message ?? ''}`,
  })
}

function pointerPath(pointer: string): JsonPath {
  return pointer.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}
