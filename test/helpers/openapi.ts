/** An OpenAPI document as tests use it: which operations it has, and whether an answer is one that it describes. */
import { readFileSync } from 'node:fs'

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { parse } from 'yaml'

import type { Page, Visitor } from './visitor.js'

interface Described {
  readonly $ref?: string
  readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>
}

interface Operation {
  readonly operationId?: string
  readonly responses: Readonly<Record<string, Described>>
}

type PathItem = { readonly $ref?: string } & Readonly<Record<string, Operation>>

export interface ApiDocument {
  readonly document: Readonly<Record<string, unknown>>
  /** `GET /path/{parameter}` of everything, aliases too. */
  readonly operations: readonly string[]
  /** What is wrong with an answer, in a sentence; `undefined` when it is one that is described. */
  problemWith(method: string, path: string, page: Page): string | undefined
  /** Operations that no answer has been held against yet. */
  unmet(): string[]
}

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'] as const

export function readApiDocument(name: 'public' | 'admin'): ApiDocument {
  const text = readFileSync(new URL(`../../docs/openapi/${name}.yaml`, import.meta.url), 'utf8')
  // Through JSON, since a validator takes the same object in two places for a circle.
  const document = JSON.parse(JSON.stringify(parse(text, { maxAliasCount: 10_000 }))) as { paths: Record<string, PathItem> }
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  formats.default(ajv)
  ajv.addSchema(document, name)
  const compiled = new Map<string, ValidateFunction>()
  const met = new Set<PathItem | Operation>()

  const at = (pointer: string): unknown => pointer.slice(2).split('/').reduce<unknown>(
    (value, part) => (value as Record<string, unknown>)[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')], document)
  const resolved = <Thing extends { readonly $ref?: string }>(thing: Thing): Thing => thing.$ref === undefined ? thing : resolved(at(thing.$ref) as Thing)
  const operationsOf = (item: PathItem): [string, Operation][] => methods.flatMap(method => {
    const operation = resolved(item)[method]
    return operation === undefined ? [] : [[method.toUpperCase(), operation]]
  })
  const all = Object.entries(document.paths).flatMap(([path, item]) => operationsOf(item).map(([method, operation]) => ({ name: `${method} ${path}`, operation })))

  function validator(schema: unknown): ValidateFunction {
    const key = JSON.stringify(schema)
    const known = compiled.get(key)
    if (known !== undefined) return known
    // References are relative to the document.
    const made = ajv.compile(JSON.parse(key.replaceAll('"$ref":"#', `"$ref":"${name}#`)) as object)
    compiled.set(key, made)
    return made
  }

  return {
    document,
    operations: all.map(({ name: operation }) => operation),

    problemWith(method, path, page) {
      const item = Object.entries(document.paths).find(([template]) => matches(template, path))
      const operation = item === undefined ? undefined : resolved(item[1])[method.toLowerCase()]
      if (operation === undefined) return `${method} ${path} is not described`
      met.add(operation)
      const found = operation.responses[page.status] ?? operation.responses['default']
      if (found === undefined) return `${method} ${path}: status ${page.status} is not described: ${page.text.slice(0, 300)}`
      const { content } = resolved(found)
      const [type] = String(page.headers['content-type'] ?? '').split(';')
      if (type === '' || type === undefined) return page.text === '' ? undefined : `${method} ${path}: a body without a content type`
      const media = content?.[type] ?? content?.['*/*']
      if (media === undefined) return `${method} ${path}: ${page.status} as ${type} is not described`
      if (method === 'HEAD' || media.schema === undefined || type !== 'application/json') return undefined
      const validate = validator(media.schema)
      return validate(page.json()) ? undefined : `${method} ${path}: ${page.status} is not as described: ${ajv.errorsText(validate.errors)}: ${page.text.slice(0, 500)}`
    },

    unmet: () => all.filter(({ operation }) => !met.has(operation)).map(({ name: operation }) => operation),
  }
}

function matches(template: string, path: string): boolean {
  const pattern = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')
  return new RegExp(`^${pattern}$`).test(path)
}

/** The same visitor; `look` sees each answer, with the method it was asked by. */
export function watched(visitor: Visitor, look: (method: string, page: Page) => void): Visitor {
  const seen = (method: string) => (page: Page): Page => {
    look(method, page)
    return page
  }
  return {
    jar: visitor.jar,
    send: (url, options) => visitor.send(url, options).then(seen(options?.method ?? 'GET')),
    visit: (url, headers) => visitor.visit(url, headers).then(seen('GET')),
    fetch: (url, headers) => visitor.fetch(url, headers).then(seen('GET')),
    submit: (url, fields, headers) => visitor.submit(url, fields, headers).then(seen('POST')),
    submitJson: (url, document, headers) => visitor.submitJson(url, document, headers).then(seen('POST')),
  }
}
