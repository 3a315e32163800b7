/** Makes any text a header field value. */

const ordinary = /^[\x20-\x7e]*$/

/**
 * What is not printable ASCII is percent-encoded as UTF-8, line breaks too: a value is one line, whatever a person wrote
 * into their name (security H9).
 */
export function headerValue(text: string): string {
  if (ordinary.test(text)) return text
  return Array.from(new TextEncoder().encode(text), byte => (
    byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  )).join('')
}
