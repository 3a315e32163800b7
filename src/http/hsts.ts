/** `Strict-Transport-Security` (RFC 6797): browsers that have seen it keep to https. */

export interface HstsSettings {
  /** Seconds; absent: the header is not sent. */
  readonly max_age?: number
  readonly include_subdomains: boolean
  readonly preload: boolean
}

/** The header's value; `undefined` when it is not to be sent. */
export function hstsValue({ max_age: maxAge, include_subdomains: includesSubdomains, preload }: HstsSettings): string | undefined {
  if (maxAge === undefined) return undefined
  return [`max-age=${maxAge}`, ...(includesSubdomains ? ['includeSubDomains'] : []), ...(preload ? ['preload'] : [])].join('; ')
}
