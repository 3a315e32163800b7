/** Lists on the command line: columns for people, JSON for programs. */
import { UsageError } from './usage-error.js'

export const formatOptions = {
  format: { type: 'string', short: 'f' },
  json: { type: 'boolean' },
} as const

export type Format = 'table' | 'json'

/** `--format`, or `--json`, which was there first. */
export function readFormat(values: { readonly format?: string | undefined, readonly json?: boolean | undefined }): Format {
  const format = values.format ?? (values.json === true ? 'json' : 'table')
  if (format !== 'table' && format !== 'json') throw new UsageError('--format is table or json')
  return format
}

/** Columns under their names, the last one as long as it is. Widths are of all rows together. */
export function tableText(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [columns.map(name => name.toUpperCase()), ...rows.map(row => row.map(printable))]
  const widths = columns.map((_, at) => Math.max(...all.map(row => row[at]?.length ?? 0)))
  return all.map(row => `${row.map((cell, at) => at === row.length - 1 ? cell : cell.padEnd(widths[at] as number)).join('  ')}\n`).join('')
}

/** A document, indented. */
export function jsonText(document: unknown): string {
  return `${JSON.stringify(document, undefined, 2)}\n`
}

/** What people chose as a name must not move the cursor of whoever reads it. */
function printable(cell: string): string {
  return cell.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, character => `\\u{${(character.codePointAt(0) as number).toString(16)}}`)
}
