/** Lists of origins that the configuration trusts: for `return_to`, for forms, for CORS. */

/** Whether a serialised origin (`https://example.org`, `https://example.org:8443`) is one of the list. */
export type OriginList = (origin: string) => boolean

/**
 * Reads the entries, checked when the configuration was loaded: exact origins, whose path does not count, and wildcards
 * (`https://*.example.org`) that stand for exactly one more label.
 */
export function createOriginList(entries: readonly string[]): OriginList {
  const exact = new Set<string>()
  const wildcards: { readonly scheme: string, readonly suffix: string }[] = []
  for (const entry of entries) {
    const wildcard = /^(https?:\/\/)\*(\.[^/?#]+)/i.exec(entry)
    if (wildcard === null) exact.add(new URL(entry).origin)
    else wildcards.push({ scheme: (wildcard[1] as string).toLowerCase(), suffix: (wildcard[2] as string).toLowerCase() })
  }

  return origin => exact.has(origin) || wildcards.some(({ scheme, suffix }) => {
    if (!origin.startsWith(scheme) || !origin.endsWith(suffix)) return false
    const label = origin.slice(scheme.length, -suffix.length)
    return /^[a-z0-9-]+$/.test(label)
  })
}
