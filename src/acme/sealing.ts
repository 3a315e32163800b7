/**
 * What must not be read out of a dump of the store: sealed with AES-256-GCM under keys made from the session secrets. Whoever runs
 * replicas has to give them those anyway, and can rotate them: the first seals, all open.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

export interface Sealing {
  /** The name is sealed too: a text that is moved under another name does not open. */
  seal(name: string, text: string): string
  /** `undefined` when none of the secrets opens it, or somebody has changed it. */
  open(name: string, sealed: string): string | undefined
}

const nonceBytes = 12
const tagBytes = 16

export function createSealing(secrets: readonly string[]): Sealing {
  const keys = secrets.map(secret => Buffer.from(hkdfSync('sha256', secret, '', 'oathgate sealing 1', 32)))

  return {
    seal(name, text) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', keys[0] as Buffer, nonce).setAAD(Buffer.from(name))
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url')
    },
    open(name, text) {
      const bytes = Buffer.from(text, 'base64url')
      for (const key of keys) {
        const opened = openWith(key, name, bytes)
        if (opened !== undefined) return opened
      }
      return undefined
    },
  }
}

function openWith(key: Buffer, name: string, bytes: Buffer): string | undefined {
  if (bytes.length < nonceBytes + tagBytes) return undefined
  const [nonce, tag, sealed] = [bytes.subarray(0, nonceBytes), bytes.subarray(nonceBytes, nonceBytes + tagBytes), bytes.subarray(nonceBytes + tagBytes)]
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(name)).setAuthTag(tag)
    return Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
