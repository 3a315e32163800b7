/** What a session document says about who is asking (contract 2.1.2). */
import { GatewayError } from '../errors.js'
import type { JsonObject } from '../store/records.js'
import { ConfigMistake } from './config-mistake.js'
import { compileJsonPath } from './json-path.js'
import { isJsonObject } from './json.js'

export interface SessionFacts {
  /** Empty when the document names none. */
  readonly subject: string
  readonly extra: JsonObject | undefined
}

/** GJSON paths. Reading throws `forbidden` when the subject is no text, or what templates are to see is no object. */
export function compileSessionFacts(subjectFrom: string, extraFrom: string): (document: JsonObject) => SessionFacts {
  const subjectIn = ConfigMistake.at(['subject_from'], () => compileJsonPath(subjectFrom))
  const extraIn = ConfigMistake.at(['extra_from'], () => compileJsonPath(extraFrom))

  return document => {
    const subject = subjectIn(document) ?? ''
    const extra = extraIn(document) ?? undefined
    if (typeof subject !== 'string') throw wrongType('subject_from', subjectFrom, 'text')
    if (extra !== undefined && !isJsonObject(extra)) throw wrongType('extra_from', extraFrom, 'an object')
    return { subject, extra }
  }
}

function wrongType(key: string, path: string, wanted: string): GatewayError {
  const detail = `The configured ${key} GJSON path returned an error on JSON output: ${path} is not ${wanted}`
  return new GatewayError('forbidden', { detail })
}
