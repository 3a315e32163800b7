/** What a rule makes of the header of its upstream's answers: its `response`, read once. */
import type { Report } from './handler-config.js'
import { settableName } from './header-names.js'
import { headerValue } from './mutators/header-value.js'
import type { AuthenticationSession, ResponseChange } from './pipeline.js'
import type { RuleDocument } from './rule-schema.js'
import { compileTemplate } from './template/compile.js'

/** `undefined` when the rule leaves answers as they are, and when something was reported. */
export function readResponse({ response }: RuleDocument, report: Report): ResponseChange | undefined {
  if (response === undefined) return undefined
  const removed = new Set<string>()
  const fields: Field[] = []

  const check = (path: string[], read: () => void): void => {
    try {
      read()
    } catch (error) {
      report(['response', ...path], `Value of "response.${path.join('.')}" is not right: ${(error as Error).message}`)
    }
  }
  for (const [at, name] of (response.remove ?? []).entries()) check(['remove', String(at)], () => removed.add(changeableName(name)))
  for (const [name, template] of Object.entries(response.set ?? {})) {
    check(['set', name], () => {
      const lower = changeableName(name)
      if (fields.some(field => field.lower === lower)) throw new Error(`"${lower}" is set twice`)
      fields.push({ name, lower, render: compileTemplate(template) })
    })
  }
  // a cookie is one of many: it joins those of the upstream
  for (const { lower } of fields) if (lower !== 'set-cookie') removed.add(lower)

  return { removed, fieldsFor: session => fields.flatMap(field => rendered(field, session)) }
}

interface Field {
  /** As written. */
  readonly name: string
  readonly lower: string
  readonly render: (session: AuthenticationSession) => string
}

function rendered({ name, render }: Field, session: AuthenticationSession): string[] {
  const value = headerValue(render(session))
  return value === '' ? [] : [name, value]
}

/** In lower case. What opens a WebSocket is between the client and the upstream. */
function changeableName(name: string): string {
  const lower = settableName(name, [])
  if (lower.startsWith('sec-websocket-')) throw new Error(`"${name}" can not be set by a rule`)
  return lower
}
