/** Runs a parsed template over a session, by the rules of Go's text/template with `missingkey=zero`. */
import { GatewayError } from '../../errors.js'
import type { AuthenticationSession } from '../pipeline.js'
import { checkArgument, parameterAt, toArgument } from './arguments.js'
import type { BranchNode, Command, Node, Operand, Pipe, RangeNode, Template } from './ast.js'
import { printed } from './format.js'
import { fail, maxRounds, maxSteps, maxText } from './limits.js'
import { sessionValue } from './session-value.js'
import { placeOf } from './template-error.js'
import { argumentProblem, isList, isTrue, isTyped, mapOf, nilList, sortedKeys, typeName, type GoFunction, type Value } from './values.js'

/** A loop's body ended early. */
type Jump = 'break' | 'continue' | undefined

/** What a stage of a pipeline gets from the one before; the first stage gets none. */
type Piped = { readonly value: Value } | undefined

/** What the template makes of the session. Throws `GatewayError` `internal_error`, whose detail says where and why. */
export function evaluate(template: Template, session: AuthenticationSession): string {
  const root = sessionValue(session)
  const variables: { readonly name: string, value: Value }[] = [{ name: '$', value: root }]
  let output = ''
  let rounds = 0
  let steps = 0
  let at = 0

  try {
    walk(template.nodes, root)
    return output
  } catch (cause) {
    const [line, column] = placeOf(template.source, at)
    const why = cause instanceof GatewayError ? cause.detail : String(cause)
    throw new GatewayError('internal_error', { detail: `template, ${line}:${column}: ${why}`, cause })
  }

  function walk(nodes: readonly Node[], dot: Value): Jump {
    for (const node of nodes) {
      const jump = walkOne(node, dot)
      if (jump !== undefined) return jump
    }
    return undefined
  }

  function walkOne(node: Node, dot: Value): Jump {
    switch (node.kind) {
      case 'text': write(node.text); return undefined
      case 'action': {
        const value = evalPipe(node.pipe, dot)
        if (node.pipe.variables.length === 0) write(printed(value))
        return undefined
      }
      case 'if': case 'with': return walkBranch(node, dot)
      case 'range': walkRange(node, dot); return undefined
      case 'break': case 'continue': return node.kind
    }
  }

  function write(text: string): void {
    output += text
    if (output.length > maxText) fail(`the output is longer than ${maxText} characters`)
  }

  function walkBranch(node: BranchNode, dot: Value): Jump {
    const mark = variables.length
    const value = evalPipe(node.pipe, dot)
    const jump = isTrue(value) ? walk(node.body, node.kind === 'with' ? value : dot) : walk(node.otherwise, dot)
    variables.length = mark
    return jump
  }

  function walkRange(node: RangeNode, dot: Value): void {
    const mark = variables.length
    const value = evalPipe(node.pipe, dot)
    const inside = variables.length
    const empty = rangeOver(value, node, (key, item) => {
      at = node.at
      if (++rounds > maxRounds) fail(`the loops take more than ${maxRounds} rounds`)
      setRangeVariables(node.pipe, inside, key, item)
      const jump = walk(node.body, item)
      variables.length = inside
      return jump !== 'break'
    })
    if (empty) walk(node.otherwise, dot)
    variables.length = mark
  }

  /** With one variable it is the item, with two they are key and item. */
  function setRangeVariables({ variables: names, assigns }: Pipe, inside: number, key: Value, item: Value): void {
    const values = names.length === 2 ? [key, item] : [item]
    for (const [index, name] of names.entries()) {
      if (assigns) setVariable(name, values[index])
      else variables[inside - names.length + index] = { name, value: values[index] }
    }
  }

  function evalPipe(pipe: Pipe, dot: Value): Value {
    let piped: Piped
    for (const command of pipe.commands) {
      // What nil holds is not there any more once a stage has passed it on.
      piped = { value: evalCommand(command, dot, piped) ?? undefined }
    }
    for (const name of pipe.variables) {
      if (pipe.assigns) setVariable(name, piped?.value)
      else variables.push({ name, value: piped?.value })
    }
    return piped?.value
  }

  function setVariable(name: string, value: Value): void {
    const variable = variables.findLast(candidate => candidate.name === name)
    if (variable === undefined) return fail(`undefined variable: ${name}`)
    variable.value = value
  }

  function evalCommand({ first, args, at: place }: Command, dot: Value, piped: Piped): Value {
    spend(1, place)
    switch (first.kind) {
      case 'function': return call(first.name, first.function, args, dot, piped)
      case 'field': return evalPath(dot, first.path, dot, args, piped)
      case 'chain': return evalPath(evalOperand(first.of, dot), first.path, dot, args, piped)
      case 'variable': if (first.path.length > 0) return evalPath(evalVariable(first.name), first.path, dot, args, piped)
    }
    if (args.length > 0 || piped !== undefined) fail('can\'t give argument to non-function')
    return evalOperand(first, dot)
  }

  function evalOperand(operand: Operand, dot: Value): Value {
    spend(1, operand.at)
    switch (operand.kind) {
      case 'bool': case 'string': case 'number': return operand.value
      case 'nil': return null
      case 'dot': return dot
      case 'field': return evalPath(dot, operand.path, dot, [], undefined)
      case 'variable': return evalPath(evalVariable(operand.name), operand.path, dot, [], undefined)
      case 'chain': return evalPath(evalOperand(operand.of, dot), operand.path, dot, [], undefined)
      case 'function': return call(operand.name, operand.function, [], dot, undefined)
      case 'pipe': return evalPipe(operand, dot)
    }
  }

  function evalVariable(name: string): Value {
    return variables.findLast(candidate => candidate.name === name)?.value
  }

  /** Fields one after the other; the last one may be a method, which gets the arguments. */
  function evalPath(start: Value, path: readonly string[], dot: Value, args: readonly Operand[], piped: Piped): Value {
    return path.reduce((receiver, name, index) => {
      const isLast = index === path.length - 1
      return evalField(receiver, name, dot, isLast ? args : [], isLast ? piped : undefined)
    }, start)
  }

  function evalField(receiver: Value, name: string, dot: Value, args: readonly Operand[], piped: Piped): Value {
    if (receiver === undefined) return undefined
    if (receiver === null) return fail(`nil pointer evaluating interface {}.${name}`)
    if (isTyped(receiver)) {
      const method = receiver.methods?.get(name)
      if (method !== undefined) return call(name, method, args, dot, piped)
    }
    if (args.length > 0 || piped !== undefined) fail(`${name} is not a method but has arguments`)
    const field = isTyped(receiver) ? receiver.fields?.get(name) : undefined
    if (field !== undefined) return field()
    const map = mapOf(receiver)
    if (map === undefined) return fail(`can't evaluate field ${name} in type ${typeName(receiver)}`)
    return Object.hasOwn(map, name) ? map[name] : isTyped(receiver) ? nilList : null
  }

  function call(name: string, called: GoFunction, args: readonly Operand[], dot: Value, piped: Piped): Value {
    const problem = argumentProblem(name, called, args.length + (piped === undefined ? 0 : 1))
    if (problem !== undefined) fail(problem)
    const values: Value[] = []
    for (const arg of args) {
      const value = toArgument(arg, evalOperand(arg, dot), parameterAt(called, values.length))
      values.push(value)
      if (called.stopsAt === isTrue(value)) return value
    }
    if (piped !== undefined) values.push(checkArgument(piped.value, parameterAt(called, values.length)))
    spend(values.reduce<number>((sum, value) => sum + weight(value), 0), at)
    const result = (called.call as (...values: readonly Value[]) => Value)(...values)
    spend(weight(result), at)
    if (isList(result) && result.length > maxRounds) fail(`a list is longer than ${maxRounds}`)
    return result
  }

  function spend(count: number, place: number): void {
    at = place
    steps += count
    if (steps > maxSteps) fail(`the template takes more than ${maxSteps} steps`)
  }
}

/** What looking at a value costs, beyond looking at it at all. */
function weight(value: Value): number {
  if (typeof value === 'string') return value.length >> 8
  return isList(value) ? value.length >> 4 : 0
}

/** Calls for each key and item until told to stop; whether there was nothing to call for. */
function rangeOver(value: Value, node: RangeNode, visit: (key: Value, item: Value) => boolean): boolean {
  const map = mapOf(value)
  if (map !== undefined) {
    const keys = sortedKeys(map)
    keys.every(key => visit(key, map[key]))
    return keys.length === 0
  }
  if (isList(value)) {
    value.every((item, index) => visit(BigInt(index), item))
    return value.length === 0
  }
  if (typeof value === 'bigint') {
    if (node.pipe.variables.length > 1) fail('can\'t use an int to iterate over more than one variable')
    for (let count = 0n; count < value; count++) if (!visit(undefined, count)) break
    return value <= 0n
  }
  return value === undefined || value === null ? true : fail(`range can't iterate over a value of type ${typeName(value)}`)
}
