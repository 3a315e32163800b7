/** Rules that stand in the configuration itself: `inline://` and base64 of a rule file. */
import type { Repository } from './repository.js'

/** Never changes. Throws `Error` with a sentence for what is no base64 or too large. */
export function inlineRepository(url: string, maxBytes: number): Repository {
  const encoded = url.slice('inline://'.length)
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(encoded) || encoded.length % 4 !== 0) throw new Error('access_rules.repositories: inline:// is not followed by base64')

  const text = Buffer.from(encoded, 'base64').toString('utf8')
  if (Buffer.byteLength(text) > maxBytes) throw new Error(`access_rules.repositories: an inline:// repository has more than ${maxBytes} bytes`)
  return {
    read: async () => [{ name: 'inline://', text }],
    watch() {},
    close() {},
  }
}
