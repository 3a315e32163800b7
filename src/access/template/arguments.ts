/** What functions get: values of the types they ask for, or the error that Go makes of others. */
import type { Operand } from './ast.js'
import { fail } from './limits.js'
import { isMap, nilMap, typeName, type GoFunction, type Parameter, type Value } from './values.js'

/** The type of a function's argument at this place. */
export function parameterAt(called: GoFunction, index: number): Parameter {
  return called.parameters[index] ?? called.rest ?? 'any'
}

/** An argument's value. A number literal takes the type that is asked for, when it can; everything else has one. */
export function toArgument(operand: Operand, value: Value, wanted: Parameter): Value {
  if (operand.kind === 'number') {
    if (wanted === 'float') return Number(value)
    if (wanted === 'int' && typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  }
  if (operand.kind === 'nil' && wanted === 'map') return nilMap
  return checkArgument(value, wanted)
}

/** The value, if it is of the type; fails otherwise. */
export function checkArgument(value: Value, wanted: Parameter): Value {
  if (wanted === 'any') return value ?? null
  if (wanted === 'map' && value === undefined) return nilMap
  if (value === undefined) return fail(`invalid value; expected ${goNames[wanted]}`)
  if (fits(value, wanted)) return value
  return fail(`wrong type for value; expected ${goNames[wanted]}; got ${typeName(value)}`)
}

const goNames = { string: 'string', int: 'int', float: 'float64', bool: 'bool', map: 'map[string]interface {}' } as const

function fits(value: Value, wanted: Exclude<Parameter, 'any'>): boolean {
  switch (wanted) {
    case 'string': return typeof value === 'string'
    case 'int': return typeof value === 'bigint'
    case 'float': return typeof value === 'number'
    case 'bool': return typeof value === 'boolean'
    case 'map': return isMap(value)
  }
}
