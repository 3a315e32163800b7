/** Compiles an identity schema into a function that lists what is wrong with traits. */
import { Ajv, type ErrorObject, type Options } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'

import type { JsonObject, JsonValue } from '../store/records.js'
import { compileLinearPattern } from './linear-pattern.js'

/** What ajv finds in a value: nothing, or everything at once. */
export type ListErrors = (value: JsonValue) => readonly ErrorObject[]

/** A JSON Schema dialect's validator. */
export interface Dialect {
  isKeyword(name: string): boolean
  /** What the meta-schema has against the document. */
  metaErrors(schema: JsonObject): readonly ErrorObject[]
  /** Throws when the schema can not be compiled. */
  compile(schema: JsonObject): ListErrors
}

const dialects = [
  [/^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/, Ajv],
  [/^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, Ajv2019],
  [/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, Ajv2020],
] as const

const options: Options = {
  allErrors: true,
  verbose: true,
  // Inherited names such as `toString` do not count as present (security J4).
  ownProperties: true,
  // What ajv would be strict about, `schema-check.ts` says with a place.
  strict: false,
  logger: false,
  formats: fullFormats,
  code: { regExp: Object.assign(compileLinearPattern, { code: 'compileLinearPattern' }) },
  // 0.3 is a multiple of 0.1, whatever binary fractions say.
  multipleOfPrecision: 9,
}

/** The dialect that `$schema` names; draft-07 when it is absent, `undefined` for one that is not supported. */
export function dialectOf({ $schema = 'http://json-schema.org/draft-07/schema#' }: JsonObject): Dialect | undefined {
  const [, Validator] = dialects.find(([uri]) => typeof $schema === 'string' && uri.test($schema)) ?? []
  if (Validator === undefined) return undefined

  const ajv = new Validator(options)
  return {
    isKeyword: name => Object.hasOwn(ajv.RULES.keywords, name),
    metaErrors: schema => ajv.validateSchema(withoutDialect(schema)) === true ? [] : ajv.errors ?? [],
    compile(schema) {
      const validate = ajv.compile(withoutDialect(schema))
      return value => validate(value) ? [] : validate.errors ?? []
    },
  }
}

/** Some spellings of a dialect's URI (`https`, no `#`) would be taken for a reference to a schema that is not there. */
function withoutDialect({ $schema: _dialect, ...schema }: JsonObject): JsonObject {
  return schema
}
