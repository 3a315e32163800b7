/** The sentences that people read, by problem code: the wording of Kratos v0.1.0 where it has one (contract 1, 3.5, 4). */
import type { JsonValue, Problem } from '../store/records.js'

/** The sentence for a problem; what belongs to a field begins with the field's name. */
export function problemMessage({ code, field, params = {} }: Problem): string {
  const sentence = Object.hasOwn(sentences, code) ? sentences[code] as Sentence : unknownProblem
  const text = sentence(name => textOf(params[name]), params)
  return field === undefined ? text : `${field}: ${text}`
}

/** Makes a sentence from parameters: `p` gives one as text, `params` has them as they are. */
type Sentence = (p: (name: string) => string, params: NonNullable<Problem['params']>) => string

const policy = 'password does not meet the password policy because: '

const sentences: { readonly [code: string]: Sentence } = {
  required: p => `${p('property')} is required`,
  type: (p, { expected }) => `Invalid type. Expected: ${typesOf(expected)}, given: ${p('given')}`,
  min_length: p => `String length must be greater than or equal to ${p('min')}`,
  max_length: p => `String length must be less than or equal to ${p('max')}`,
  format: p => `Does not match format '${p('format')}'`,
  pattern: p => `Does not match pattern '${p('pattern')}'`,
  minimum: p => `Must be greater than or equal to ${p('min')}`,
  exclusive_minimum: p => `Must be greater than ${p('min')}`,
  maximum: p => `Must be less than or equal to ${p('max')}`,
  exclusive_maximum: p => `Must be less than ${p('max')}`,
  multiple_of: p => `Must be a multiple of ${p('multiple')}`,
  enum: (p, { allowed }) => `${p('property')} must be one of the following: ${listOf(allowed)}`,
  const: (p, { allowed }) => `${p('property')} does not match: ${JSON.stringify(allowed)}`,
  unique_items: p => `array items[${p('first')},${p('second')}] must be unique`,
  min_items: p => `Array must have at least ${p('min')} items`,
  max_items: p => `Array must have at most ${p('max')} items`,
  min_properties: p => `Must have at least ${p('min')} properties`,
  max_properties: p => `Must have at most ${p('max')} properties`,
  additional_property: p => `Additional property ${p('property')} is not allowed`,
  additional_items: () => 'No additional items allowed on array',
  property_name: p => `The property name ${p('property')} is not allowed`,
  contains: () => 'At least one of the items must match',
  dependency: p => `Has a dependency on ${p('dependency')}`,
  any_of: () => 'Must match at least one of several schemas',
  one_of: () => 'Must match exactly one of several schemas',
  not: () => 'Matches what the schema rules out',
  not_allowed: () => 'No value is allowed here',
  invalid: () => 'The value is not valid',
  internal: () => 'Internal Error',

  unknown_trait: p => `Additional property ${p('property')} is not allowed`,
  traits_too_long: p => `What you entered must not be longer than ${p('max')} bytes altogether`,
  identifier_not_proven: p => `${p('provider')} does not confirm what you would log in with (email, phone, username, ...). Please sign up in another way.`,
  given_twice: p => `${p('property')} must be given only once`,
  identifier_characters: p => `${p('property')} contains characters that can not be seen`,
  identifier_too_long: p => `${p('property')} must not be longer than ${p('max')} bytes`,
  too_many_identifiers: p => `There must be at most ${p('max')} login identifiers`,
  no_identifiers: () => 'No login identifiers (e.g. email, phone number, username) were set. '
    + 'Contact an administrator, the identity schema is misconfigured.',

  password_required: () => 'password is required',
  identifier_required: () => 'identifier is required',
  // "to similar" is how the predecessor spells it, and how programs know it.
  policy_similar: () => `${policy}the password is to similar to the user identifier`,
  policy_length: p => `${policy}password length must be at least ${p('min')} characters but only got ${p('length')}`,
  policy_too_long: p => `${policy}the password must not be longer than ${p('max')} bytes`,
  policy_common: () => `${policy}the password has been found in data breaches and must no longer be used.`,
  policy_decorated: () => `${policy}the password is a well-known one with little added to it and must not be used.`,
  policy_breached: p => `${policy}the password has been found in at least ${p('count')} data breaches and must no longer be used.`,
  policy_context: () => `${policy}the password is made of words that are easy to guess for this account`,

  invalid_credentials: () => 'The provided credentials are invalid. Check for spelling mistakes in your password or username, '
    + 'email address, or phone number.',
  identifier_taken: () => 'An account with the same identifier (email, phone, username, ...) exists already.',
  provider_missing: () => 'The HTTP request did not contain the required "provider" form field',
  provider_no_code: () => 'Unable to complete OpenID Connect flow because the OpenID Provider did not return the code query parameter.',
  provider_error: p => `Unable to complete OpenID Connect flow because the OpenID Provider returned error "${p('error')}": ${p('description')}`,
  provider_no_id_token: () => 'Authentication failed because no id_token was returned. Please accept the "openid" permission and try again.',
  provider_scope: () => 'Unable to finish because one or more permissions were not granted. Please retry and accept all permissions.',
  provider_unavailable: p => `Signing in with ${p('provider')} does not work at the moment. Please try again later or choose another way.`,
  provider_untrusted: p => `What ${p('provider')} answered could not be verified. Please try again or choose another way.`,
  link_account: p => 'An account with the same identifier (email, phone, username, ...) exists already. '
    + `Log in to it the way you did before, and ${p('provider')} will be added to it.`,
  link_other_account: p => `This is another account than the one that ${p('provider')} is to be added to. `
    + 'Log in to the account whose identifier (email, phone, username, ...) is in use, or begin a new login.',
  csrf_invalid: () => 'CSRF token is missing or invalid.',
  flow_expired: () => 'Your session expired, please try again.',
  flow_used: () => 'This form has been submitted already, please try again.',
  flow_issued_in_future: p => `The ${p('kind') || 'registration'} request was issued in the future.`,
  no_value: () => 'Did not receive any value changes.',

  body_empty: () => 'Unable to decode HTTP Request Body because its HTTP Header "Content-Length" is zero.',
  body_content_type: p => `HTTP POST Request used unknown HTTP Header "Content-Type: ${p('contentType')}", `
    + 'only [application/json application/x-www-form-urlencoded] are supported.',
  body_escape: p => `Unable to decode HTTP POST form body: invalid URL escape ${JSON.stringify(p('escape'))}`,
}

const unknownProblem: Sentence = () => 'The value is not valid'

function textOf(value: JsonValue | undefined): string {
  return value === undefined ? '' : String(value)
}

function typesOf(expected: JsonValue | undefined): string {
  return Array.isArray(expected) ? `[${expected.join(',')}]` : textOf(expected)
}

function listOf(allowed: JsonValue | undefined): string {
  return Array.isArray(allowed) ? allowed.map(value => JSON.stringify(value)).join(', ') : ''
}
