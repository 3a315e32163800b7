/** The mutator `header`: tells the upstream who is asking, in header fields made from templates. */
import type { FromSchema } from 'json-schema-to-ts'

import { ConfigMistake } from '../config-mistake.js'
import { settableName } from '../header-names.js'
import type { Handler, Mutator } from '../pipeline.js'
import { compileTemplate } from '../template/compile.js'
import { headerValue } from './header-value.js'

const config = {
  type: 'object', additionalProperties: false, required: ['headers'],
  properties: {
    headers: { type: 'object', additionalProperties: { type: 'string' }, description: 'Template of each field\'s value. A field whose template gives nothing is sent empty, never as the client sent it.' },
  },
} as const

/** Always sets all of its fields: a client's own value of one never reaches an upstream (contract 7.12, security H1). */
export const header: Handler<Mutator> = {
  name: 'header',
  config,
  create({ headers }: FromSchema<typeof config>) {
    const fields = Object.entries(headers).map(([name, template]) => ({
      name: settableName(name, ['headers', name]), render: ConfigMistake.at(['headers', name], () => compileTemplate(template)),
    }))
    const twice = fields.find(({ name }, at) => fields.findIndex(field => field.name === name) !== at)
    if (twice !== undefined) throw new ConfigMistake(['headers'], `"${twice.name}" is set twice`)

    return {
      sets: fields.map(({ name }) => name),
      mutate(session) {
        const set: Record<string, string> = { ...session.header }
        for (const { name, render } of fields) set[name] = headerValue(render(session))
        return { ...session, header: set }
      },
    }
  },
}
