/** Options that several commands share. */
import { parseArgs, type ParseArgsConfig } from 'node:util'

import { UsageError } from './usage-error.js'

type Options = NonNullable<ParseArgsConfig['options']>

/** Parses strictly; what it can't parse is a `UsageError`. */
export function readOptions<const O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** Refuses arguments that nothing would read: a file that was meant for `-c` would be taken as checked, or as served. */
export function noMore([surplus]: readonly string[], hint: (surplus: string) => string = () => ''): void {
  if (surplus !== undefined) throw new UsageError(`"${surplus}" is one argument too many${hint(surplus)}`)
}

/** For commands that read a configuration. */
export function meantForConfig(file: string): string {
  return `; a configuration is named by -c: -c ${file}`
}

export const configOptions = { config: { type: 'string', short: 'c', multiple: true } } as const

/** The files of `-c`, or the one that is read without it. */
export function configFiles(given: readonly string[] | undefined): readonly string[] {
  return given === undefined || given.length === 0 ? ['config/oathgate.yml'] : given
}

export const adminOptions = {
  endpoint: { type: 'string', short: 'e' },
  token: { type: 'string' },
} as const

/** Where the admin listener is, and the token to show it. Options win over the environment. */
export function adminEndpoint(values: { readonly endpoint?: string | undefined, readonly token?: string | undefined }): { readonly url: string, readonly token: string | undefined } {
  const url = values.endpoint ?? process.env['OATHGATE_ADMIN_URL'] ?? 'http://127.0.0.1:4434'
  if (!URL.canParse(url)) throw new UsageError(`"${url}" is not a URL`)
  return { url: url.replace(/\/+$/, ''), token: values.token ?? process.env['OATHGATE_ADMIN_TOKEN'] }
}

/** An option that is a number from 0 on; `undefined` when it was not given. */
export function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text !== undefined && !/^[0-9]{1,9}$/.test(text)) throw new UsageError(`${option} is a number`)
  return text === undefined ? undefined : Number(text)
}
