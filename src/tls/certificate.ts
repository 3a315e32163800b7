/** A certificate with its key, ready to be shown, and what it says about itself. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'

export interface Certificate {
  /** PEM: the certificate, and behind it those between it and its authority. */
  readonly cert: string
  /** PEM, without a passphrase. */
  readonly key: string
  readonly context: SecureContext
  /** Names and addresses that it is for, lower-case; `*.example.org` stands for one label. */
  readonly names: readonly string[]
  readonly issuedAt: number
  readonly expiresAt: number
}

/** A certificate or a key that can't be used. The message is the end of a sentence, and never quotes either. */
export class CertificateMistake extends Error {
  override readonly name = 'CertificateMistake'
  readonly part: 'cert' | 'key'

  constructor(part: 'cert' | 'key', message: string) {
    super(message)
    this.part = part
  }
}

/** Throws `CertificateMistake`, also when the two do not belong together. An expired certificate is one, too. */
export function readCertificate(cert: string, key: string): Certificate {
  const leaf = leafOf(cert)
  if (!leaf.checkPrivateKey(privateKey(key))) throw new CertificateMistake('key', 'is not the key of the certificate')

  return {
    cert, key, context: secureContext(cert, key), names: namesOf(leaf),
    issuedAt: Date.parse(leaf.validFrom), expiresAt: Date.parse(leaf.validTo),
  }
}

/** The first of a file is the one that is shown; the others lead from it to its authority. */
function leafOf(pem: string): X509Certificate {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    const [leaf] = blocks.map(block => new X509Certificate(block))
    if (leaf !== undefined) return leaf
  } catch {
    // said below
  }
  throw new CertificateMistake('cert', 'holds no certificate in PEM')
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    throw new CertificateMistake('key', 'holds no key in PEM that can be used without a passphrase')
  }
}

function secureContext(cert: string, key: string): SecureContext {
  try {
    return createSecureContext({ cert, key })
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new CertificateMistake('cert', `can not be used for TLS (${code})`)
  }
}

/** Node quotes what holds a comma or worse, so that nobody takes it for several names; no host is called that. */
function namesOf({ subjectAltName = '' }: X509Certificate): string[] {
  return subjectAltName.split(', ').flatMap(entry => {
    const [, name, address] = /^(?:DNS:([\w*.-]+)|IP Address:([0-9A-Fa-f.:]+))$/.exec(entry) ?? []
    return name?.toLowerCase() ?? address?.toLowerCase() ?? []
  })
}
