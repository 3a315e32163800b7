/** The mutator `cookie`: tells the upstream who is asking, in cookies made from templates. */
import type { FromSchema } from 'json-schema-to-ts'

import { ConfigMistake } from '../config-mistake.js'
import type { Handler, Mutator } from '../pipeline.js'
import { compileTemplate } from '../template/compile.js'

const config = {
  type: 'object', additionalProperties: false, required: ['cookies'],
  properties: {
    cookies: { type: 'object', additionalProperties: { type: 'string' }, description: 'Template of each cookie\'s value.' },
  },
} as const

/** The rule's cookies first, then the client's own except those of the same names (contract 2.3). */
export const cookie: Handler<Mutator> = {
  name: 'cookie',
  config,
  create({ cookies }: FromSchema<typeof config>) {
    const made = Object.entries(cookies).map(([name, template]) => ({ name: cookieName(name), render: ConfigMistake.at(['cookies', name], () => compileTemplate(template)) }))
    const names = new Set(made.map(({ name }) => name))

    return {
      sets: ['cookie'],
      setsCookies: [...names],
      mutate(session) {
        const own = made.map(({ name, render }) => `${name}=${cookieValue(render(session))}`)
        const before = session.header['cookie'] ?? session.match.request.headers.cookie ?? ''
        const kept = before.split(';').map(pair => pair.trim()).filter(pair => pair !== '' && !names.has(nameOf(pair)))
        return { ...session, header: { ...session.header, cookie: [...own, ...kept].join('; ') } }
      },
    }
  },
}

function cookieName(name: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new ConfigMistake(['cookies', name], `"${name}" is no name of a cookie`)
  return name
}

/** Go's rules: what a cookie can't hold is left out, and spaces and commas make quotes necessary. */
function cookieValue(text: string): string {
  const value = text.replace(/[^\x20-\x7e]|["\\;]/g, '')
  return /[ ,]/.test(value) ? `"${value}"` : value
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=')
  return (equals === -1 ? pair : pair.slice(0, equals)).trim()
}
