/** Identity schemas for tests: loaded as the gateway loads them, from a document in the test itself. */
import { loadIdentitySchemas, type IdentitySchema } from '../../src/identity/identity-schema.js'

/** A schema document as a URL that the configuration could hold. */
export function schemaUrl(document: object | string): string {
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  return `base64://${Buffer.from(text).toString('base64')}`
}

export async function loadSchema(document: object | string): Promise<IdentitySchema> {
  return (await loadWithWarnings(document)).schema
}

export async function loadWithWarnings(document: object | string): Promise<{ schema: IdentitySchema, warnings: readonly string[] }> {
  const schemas = await loadIdentitySchemas({ defaultUrl: schemaUrl(document), schemas: [], baseDir: '/' })
  const schema = schemas.get('default')
  if (schema === undefined) throw new Error('the default schema is missing')
  return { schema, warnings: schemas.warnings }
}

/** The keyword that makes a trait a login identifier. */
export const identifier = { 'ory.sh/kratos': { credentials: { password: { identifier: true } } } }
