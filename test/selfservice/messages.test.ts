import t from 'tap'

import { problemMessage } from '../../src/selfservice/messages.js'
import type { Problem } from '../../src/store/records.js'

t.test('every problem of a flow reads as the contract says', async t => {
  const policy = 'password: password does not meet the password policy because: '
  const cases: [problem: Problem, sentence: string][] = [
    [{ code: 'password_required', field: 'password' }, 'password: password is required'],
    [{ code: 'identifier_required', field: 'identifier' }, 'identifier: identifier is required'],
    [{ code: 'invalid_credentials' }, 'The provided credentials are invalid. Check for spelling mistakes in your password or username, email address, or phone number.'],
    [{ code: 'identifier_taken' }, 'An account with the same identifier (email, phone, username, ...) exists already.'],
    [{ code: 'no_identifiers' }, 'No login identifiers (e.g. email, phone number, username) were set. Contact an administrator, the identity schema is misconfigured.'],
    [{ code: 'flow_expired' }, 'Your session expired, please try again.'],
    [{ code: 'flow_used' }, 'This form has been submitted already, please try again.'],
    [{ code: 'flow_issued_in_future' }, 'The registration request was issued in the future.'],
    [{ code: 'flow_issued_in_future', params: { kind: 'login' } }, 'The login request was issued in the future.'],
    [{ code: 'csrf_invalid' }, 'CSRF token is missing or invalid.'],
    [{ code: 'no_value' }, 'Did not receive any value changes.'],
    [{ code: 'body_empty' }, 'Unable to decode HTTP Request Body because its HTTP Header "Content-Length" is zero.'],
    [{ code: 'body_content_type', params: { contentType: 'text/plain' } }, 'HTTP POST Request used unknown HTTP Header "Content-Type: text/plain", only [application/json application/x-www-form-urlencoded] are supported.'],
    [{ code: 'body_escape', params: { escape: '%)$' } }, 'Unable to decode HTTP POST form body: invalid URL escape "%)$"'],
    [{ code: 'policy_length', field: 'password', params: { length: 3, min: 8 } }, `${policy}password length must be at least 8 characters but only got 3`],
    [{ code: 'policy_similar', field: 'password' }, `${policy}the password is to similar to the user identifier`],
    [{ code: 'policy_breached', field: 'password', params: { count: 12 } }, `${policy}the password has been found in at least 12 data breaches and must no longer be used.`],
    [{ code: 'policy_common', field: 'password' }, `${policy}the password has been found in data breaches and must no longer be used.`],
    [{ code: 'policy_too_long', field: 'password', params: { max: 1024 } }, `${policy}the password must not be longer than 1024 bytes`],
    [{ code: 'unknown_trait', params: { property: 'role' } }, 'Additional property role is not allowed'],
    [{ code: 'given_twice', field: 'traits.email', params: { property: 'email' } }, 'traits.email: email must be given only once'],
    [{ code: 'identifier_characters', field: 'identifier', params: { property: 'identifier' } }, 'identifier: identifier contains characters that can not be seen'],
    [{ code: 'identifier_too_long', field: 'traits.email', params: { property: 'email', max: 320 } }, 'traits.email: email must not be longer than 320 bytes'],
  ]
  for (const [problem, sentence] of cases) t.equal(problemMessage(problem), sentence, problem.code)
})

t.test('a code that this version does not know, or that is the name of something else, still reads as a sentence', async t => {
  for (const code of ['of a later version', 'toString', '__proto__', '']) {
    t.equal(problemMessage({ code, field: 'traits.a' }), 'traits.a: The value is not valid', code)
  }
})
