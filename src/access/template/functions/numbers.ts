/** sprig's arithmetic: 64-bit integers that wrap around, made of whatever comes (`"3"`, `3.9`, `true`, nil). */
import { fail } from '../limits.js'
import { parseNumber } from '../literals.js'
import type { GoFunction, Value } from '../values.js'

export const numbers: Readonly<Record<string, GoFunction>> = {
  add: { parameters: [], rest: 'any', call: (...values: Value[]) => wrap(values.map(toInt64).reduce((sum, value) => sum + value, 0n)) },
  add1: { parameters: ['any'], call: (value: Value) => wrap(toInt64(value) + 1n) },
  sub: { parameters: ['any', 'any'], call: (left: Value, right: Value) => wrap(toInt64(left) - toInt64(right)) },
  mul: { parameters: ['any'], rest: 'any', call: (...values: Value[]) => values.map(toInt64).reduce((product, value) => wrap(product * value)) },
  div: { parameters: ['any', 'any'], call: (left: Value, right: Value) => wrap(toInt64(left) / divisor(right)) },
  mod: { parameters: ['any', 'any'], call: (left: Value, right: Value) => wrap(toInt64(left) % divisor(right)) },
  max: { parameters: ['any'], rest: 'any', call: (...values: Value[]) => values.map(toInt64).reduce((most, one) => one > most ? one : most) },
  min: { parameters: ['any'], rest: 'any', call: (...values: Value[]) => values.map(toInt64).reduce((least, one) => one < least ? one : least) },
  int: { parameters: ['any'], call: toInt64 },
  int64: { parameters: ['any'], call: toInt64 },
  float64: { parameters: ['any'], call: toFloat64 },
  atoi: { parameters: ['string'], call: (text: string) => /^[+-]?[0-9]+$/.test(text) ? toInt64(decimal(text)) : 0n },
}

/** What sprig's `int` makes of a value: floats are cut off, text is read like a literal, everything else is 0. */
export function toInt64(value: Value): bigint {
  switch (typeof value) {
    case 'bigint': return value
    case 'boolean': return value ? 1n : 0n
    case 'number': return fromFloat(value)
    case 'string': {
      const parsed = parseNumber(value.replace(/\.0+$/, ''))
      return typeof parsed === 'bigint' ? parsed : 0n
    }
  }
  return 0n
}

/** Out of range is Go's smallest integer, as on the processors Oathkeeper runs on. */
function fromFloat(value: number): bigint {
  const inRange = Math.abs(value) < 2 ** 63
  return inRange ? BigInt(Math.trunc(value)) : -(2n ** 63n)
}

function toFloat64(value: Value): number {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return Number(toInt64(value))
  return /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(value) && Number.isFinite(Number(value)) ? Number(value) : 0
}

/** Leading zeros do not mean octal here. */
function decimal(text: string): string {
  return text.replace(/^([+-]?)0+(?=[0-9])/, '$1')
}

function divisor(value: Value): bigint {
  const number = toInt64(value)
  return number === 0n ? fail('integer divide by zero') : number
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value)
}
