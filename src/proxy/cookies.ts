/** Our own cookies, kept from upstreams in both directions. */

/** A `Cookie` value without the cookies of these names; untouched when none is in it, empty when nothing is left. */
export function cutCookies(value: string, names: readonly string[]): string {
  if (!names.some(name => value.includes(name))) return value
  return value.split(';').map(pair => pair.trim()).filter(pair => pair !== '' && !names.includes(cookieName(pair))).join('; ')
}

/** The name in a `Set-Cookie` value or in one pair of a `Cookie` value; a pair without `=` is a cookie without a name to some. */
export function cookieName(pair: string): string {
  const [first = ''] = pair.split(';', 1)
  const at = first.indexOf('=')
  return (at === -1 ? first : first.slice(0, at)).trim()
}
