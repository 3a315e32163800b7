/** The certificates in force, and which of them a client is shown. */
import type { TlsCertificates } from '../http/tls-listener.js'
import type { Certificate } from './certificate.js'

/** Where certificates come from; those of files come first where both have one for a name. */
export type CertificateOrigin = 'files' | 'acme'

export interface ShownCertificates extends TlsCertificates {
  /** Replaces those of one origin. Connections that are open keep what they were shown. */
  replace(origin: CertificateOrigin, certificates: readonly Certificate[]): void
  /** Whether one of them is for this host name or address. */
  covers(host: string): boolean
  /** When the first of them expires, in milliseconds since 1970; `undefined` while there is none. */
  earliestExpiry(): number | undefined
}

/** None yet: handshakes are refused until there is one. */
export function createShownCertificates(): ShownCertificates {
  const origins: Record<CertificateOrigin, readonly Certificate[]> = { files: [], acme: [] }
  const listeners: (() => void)[] = []
  let all: readonly Certificate[] = []
  let byName: ReadonlyMap<string, Certificate> = new Map()

  function find(host: string): Certificate | undefined {
    const name = host.toLowerCase().replace(/\.$/, '')
    return byName.get(name) ?? byName.get(name.replace(/^[^.]+/, '*'))
  }

  return {
    replace(origin, certificates) {
      origins[origin] = certificates
      all = [...origins.files, ...origins.acme]
      // Backwards, so that the first one of a name stands.
      byName = new Map(all.toReversed().flatMap(certificate => certificate.names.map(name => [name, certificate] as const)))
      for (const listener of listeners) listener()
    },
    covers: host => find(host) !== undefined,
    earliestExpiry: () => all.length === 0 ? undefined : Math.min(...all.map(({ expiresAt }) => expiresAt)),
    contextFor: name => (find(name) ?? all[0])?.context,
    fallback: () => all[0],
    onChange(listener) { listeners.push(listener) },
  }
}
