/** The error handler `json`: the error envelope that Oathkeeper's clients read (contract 2.5.2). */
import type { FromSchema } from 'json-schema-to-ts'

import type { GatewayError} from '../../errors.js';
import { type Answer, type ErrorCode, errorTable } from '../../errors.js'
import { errorBody } from '../../http/error-body.js'
import type { AnswerError, Handler } from '../pipeline.js'
import { compileWhen, whenSchema } from './when.js'

const config = {
  type: 'object', additionalProperties: false,
  properties: {
    verbose: { type: 'boolean', default: false, description: 'Whether clients are told the reason, not only what kind of failure it is.' },
    when: whenSchema,
  },
} as const

/** The only handler that passes on an error's own header fields, such as `Retry-After`. */
export const json: Handler<AnswerError> = {
  name: 'json',
  config,
  create({ verbose, when }: FromSchema<typeof config>) {
    const responsible = compileWhen(when)
    return (error, request) => responsible(error, request) ? jsonAnswer(error, verbose, request?.requestId) : undefined
  },
}

/** The envelope as an answer. Not verbose: one sentence per status, and nothing about why. */
export function jsonAnswer(error: GatewayError, verbose: boolean, requestId: string | undefined): Answer {
  const body = errorBody(error, requestId)
  const { reason: _reason, details: _details, ...generic } = body
  const said = verbose ? { ...body, message: verboseMessages[error.code] ?? body.message } : { ...generic, message: genericMessage(error) }
  return {
    status: error.status,
    headers: { ...error.headers, 'content-type': 'application/json' },
    body: `${JSON.stringify({ error: said })}\n`,
  }
}

const verboseMessages: Readonly<Partial<Record<ErrorCode, string>>> = {
  unauthorized: 'Access credentials are invalid',
  forbidden: 'Access credentials are not sufficient to access this resource',
}

/** What is said when nothing more may be said: by status, so that it gives nothing away. */
const genericCodes: Readonly<Record<number, ErrorCode>> = {
  400: 'bad_request', 401: 'unauthorized', 403: 'forbidden', 404: 'not_found', 409: 'conflict', 415: 'unsupported_media_type',
  429: 'too_many_requests', 500: 'internal_error',
}

function genericMessage(error: GatewayError): string {
  const code = genericCodes[error.status]
  return code === undefined ? error.message : errorTable[code][1]
}
