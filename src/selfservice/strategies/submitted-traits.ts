/** The traits in a submit, whatever the method. */
import { GatewayError } from '../../errors.js'
import type { Submission } from '../../http/submission.js'
import type { DecodedTraits } from '../../identity/trait-form.js'
import type { IdentitySchema } from '../../identity/identity-schema.js'
import { checkTraits } from '../../identity/traits.js'
import type { JsonObject } from '../../store/records.js'

/** A form's traits are typed by the schema; a JSON document's are typed already. Throws `bad_request` for what is no traits at all. */
export function submittedTraits(submission: Exclude<Submission, { kind: 'unreadable' }>, schema: IdentitySchema): DecodedTraits {
  if (submission.kind === 'form') return schema.decodeForm(submission.pairs)

  const traits = Object.hasOwn(submission.document, 'traits') ? submission.document['traits'] : {}
  if (typeof traits !== 'object' || traits === null || Array.isArray(traits)) {
    throw new GatewayError('bad_request', { reason: 'The member "traits" must be an object.' })
  }
  checkTraits(traits as JsonObject)
  return { traits: traits as JsonObject, problems: [] }
}
