/** The formats of the configuration's schema. */
import { isIP } from 'node:net'

/** An absolute `http(s)` URL that names a host, without credentials, spaces or backslashes. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^/?#@\\\s]+([/?#][^\\\s]*)?$/i.test(text) && URL.canParse(text)
}

/** An IPv4 or IPv6 address and the length of its prefix: `10.0.0.0/8`, `fd00::/8`. */
export function isCidr(text: string): boolean {
  const [address, length, ...rest] = text.split('/')
  const version = isIP(address ?? '')
  if (version === 0 || address?.includes('%') || length === undefined || rest.length > 0 || !/^[0-9]{1,3}$/.test(length)) return false
  return Number(length) <= (version === 4 ? 32 : 128)
}
