/** Strings in quotes as Go writes them (strconv.Quote). */

const printable = /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u
const escapes: ReadonlyMap<string, string> = new Map([
  ['\x07', '\\a'], ['\b', '\\b'], ['\f', '\\f'], ['\n', '\\n'], ['\r', '\\r'], ['\t', '\\t'], ['\v', '\\v'], ['\\', '\\\\'],
])

/** The text in these quotes; with `ascii`, everything beyond ASCII as an escape. */
export function quote(text: string, mark: '"' | '\'' = '"', ascii = false): string {
  let quoted = ''
  for (const character of text) quoted += escaped(character, mark, ascii)
  return mark + quoted + mark
}

function escaped(character: string, mark: string, ascii: boolean): string {
  if (character === mark) return `\\${mark}`
  const escape = escapes.get(character)
  if (escape !== undefined) return escape
  const code = character.codePointAt(0) as number
  if (code >= 0xd800 && code <= 0xdfff) return ascii ? '\\ufffd' : '\ufffd'
  if (printable.test(character) && (!ascii || code < 0x7f)) return character
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0')
}
