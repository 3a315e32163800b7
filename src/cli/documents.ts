/** `oathgate docs`: prints what is generated from the declarations, for the repository's own documents. */
import { handlerSchemas } from '../access/handlers.js'
import { configReference, jsonSchemaDocument } from '../config/documents.js'
import { UsageError } from './usage-error.js'

/** `schema` is `config/oathgate.schema.json`, `reference` is `docs/configuration.md`. */
export function documents([what]: readonly string[]): number {
  if (what !== 'schema' && what !== 'reference') throw new UsageError('docs needs "schema" or "reference"')
  process.stdout.write(what === 'schema' ? jsonSchemaDocument(handlerSchemas()) : configReference())
  return 0
}
