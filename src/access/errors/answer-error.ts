/** How a failure is answered: by the one error handler of the rule that is responsible, else by the fallback (contract 2.5.1). */
import { GatewayError, type Answer } from '../../errors.js'
import type { AccessRequest } from '../../http/access-request.js'
import type { AccessRule, AnswerError } from '../pipeline.js'
import { jsonAnswer } from './json.js'

/** Always answers. `own` are the rule's handlers; of the fallback's the first responsible one counts. */
export function composeAnswerError(own: readonly AnswerError[], fallback: readonly AnswerError[]): AccessRule['answerError'] {
  return (error, request) => {
    try {
      const answers = own.map(answer => answer(error, request)).filter(answer => answer !== undefined)
      if (answers.length > 1) return failure(several, error, request)
      return answers[0] ?? firstOf(fallback, error, request) ?? failure(none, error, request)
    } catch (thrown) {
      return failure('An error handler failed', thrown, request)
    }
  }
}

const several = 'Found more than one error handlers to be responsible for this request. This is a configuration error of the access rule.'
const none = 'Unable to handle HTTP request because no matching error handling strategy was found. This is a configuration error of errors.fallback.'

function firstOf(handlers: readonly AnswerError[], error: GatewayError, request: AccessRequest | undefined): Answer | undefined {
  for (const answer of handlers) {
    const found = answer(error, request)
    if (found !== undefined) return found
  }
  return undefined
}

function failure(reason: string, cause: unknown, request: AccessRequest | undefined): Answer {
  return jsonAnswer(new GatewayError('internal_error', { reason, cause }), true, request?.requestId)
}
