/** The door to the template language: source in, function out. Everything that can be wrong with the source is found here. */
import type { AuthenticationSession } from '../pipeline.js'
import type { Node, Operand, Template } from './ast.js'
import { evaluate } from './evaluate.js'
import { formatValue } from './format.js'
import { maxText } from './limits.js'
import { parse } from './parser.js'
import { isMap, type Value } from './values.js'

/** A compiled template. Throws `GatewayError` `internal_error` when it makes no sense for this session; the detail is for the log. */
export type Render = (session: AuthenticationSession) => string

/** Compiles a template of headers or claims (contract 3). Throws `TemplateError`, with line and column. */
export function compileTemplate(source: string): Render {
  const template = parse(source)
  return compilePlain(template) ?? (session => evaluate(template, session))
}

/**
 * Most templates are text around `.Subject` and `.Extra.a.b`: those need no interpreter. When a value is not there as
 * expected, the interpreter is asked after all, since it knows what that means.
 */
function compilePlain(template: Template): Render | undefined {
  const parts: ((session: AuthenticationSession) => string | undefined)[] = []
  for (const node of template.nodes) {
    const part = compilePart(node)
    if (part === undefined) return undefined
    parts.push(part)
  }
  return session => {
    let text = ''
    for (const part of parts) {
      const piece = part(session)
      if (piece === undefined) return evaluate(template, session)
      text += piece
    }
    return text.length > maxText ? evaluate(template, session) : text
  }
}

function compilePart(node: Node): ((session: AuthenticationSession) => string | undefined) | undefined {
  if (node.kind === 'text') return () => node.text
  if (node.kind !== 'action' || node.pipe.variables.length > 0 || node.pipe.commands.length !== 1) return undefined
  const [command] = node.pipe.commands
  if (command === undefined) return undefined
  const { first, args } = command
  if (args.length === 0) return compilePath(first)
  const isPrint = first.kind === 'function' && first.name === 'print' && args.length === 1
  return isPrint ? compilePath(args[0] as Operand) : undefined
}

function compilePath(operand: Operand): ((session: AuthenticationSession) => string | undefined) | undefined {
  if (operand.kind !== 'field') return undefined
  const [root, ...path] = operand.path
  if (root === 'Subject' && path.length === 0) return session => session.subject
  if (root !== 'Extra' || path.length === 0) return undefined
  return session => textAt(session.extra, path)
}

/** The text of a scalar; `undefined` for anything that is not simply there. */
function textAt(extra: Value, path: readonly string[]): string | undefined {
  let value = extra
  for (const key of path) {
    if (!isMap(value) || !Object.hasOwn(value, key)) return undefined
    value = value[key]
  }
  return typeof value === 'object' || value === undefined ? undefined : formatValue(value)
}
