/** `oathgate docs`: prints what is generated from the declarations, for the repository's own documents. */
import { handlerSchemas } from '../access/handlers.js'
import { configReference, handlerReference, jsonSchemaDocument } from '../config/documents.js'
import { metricsReference } from '../metrics/reference.js'
import { jobs } from '../selfservice/jobs/compile.js'
import { UsageError } from './usage-error.js'

const documentsByName: Readonly<Record<string, () => string>> = {
  /** `config/oathgate.schema.json` */
  schema: () => jsonSchemaDocument(handlerSchemas()),
  /** `docs/configuration.md` */
  reference: configReference,
  /** `docs/metrics.md` */
  metrics: metricsReference,
  /** `docs/handlers.md` */
  handlers: () => handlerReference({ ...handlerSchemas(), jobs: Object.fromEntries(jobs.map(({ name, config }) => [name, config])) }),
}

/** The text of a document. Throws `UsageError` for one that is not generated. */
export function documentText(what: string | undefined): string {
  const make = what !== undefined && Object.hasOwn(documentsByName, what) ? documentsByName[what] : undefined
  if (make === undefined) throw new UsageError(`docs needs one of: ${Object.keys(documentsByName).join(', ')}`)
  return make()
}

/** Prints it. */
export function documents([what]: readonly string[]): number {
  process.stdout.write(documentText(what))
  return 0
}
