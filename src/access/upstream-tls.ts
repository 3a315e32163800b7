/** How https upstreams are checked and what they are shown: the files that `tls` names, read and tried when rules are loaded. */
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'

import type { UpstreamTls } from './pipeline.js'

/** `proxy.tls`, or `upstream.tls` of a rule, as written. */
export interface TlsSettings {
  readonly ca_file?: string
  readonly cert_file?: string
  readonly key_file?: string
  readonly server_name?: string
  readonly insecure_skip_verify?: boolean
}

/** Takes a mistake about one of the settings. */
type ReportSetting = (key: keyof TlsSettings, message: string) => void

/** `undefined` where Node's defaults do, and when something was reported. */
export type ReadTls = (settings: TlsSettings, report: ReportSetting) => UpstreamTls | undefined

/** Reads each file once for all rules of a set. Relative names start in `baseDir`. Never quotes a file: it may hold a key. */
export function createTlsReader(baseDir: string): ReadTls {
  const files = new Map<string, string | Error>()
  const made = new Map<string, UpstreamTls>()

  function read(name: string): string | Error {
    const path = resolve(baseDir, name.replace(/^file:\/\//, ''))
    const text = files.get(path) ?? readPem(path)
    files.set(path, text)
    return text
  }

  return (settings, report) => {
    const id = identity(settings)
    if (id === undefined) return undefined
    const known = made.get(id)
    if (known !== undefined) return known

    const { ca_file: caFile, cert_file: certFile, key_file: keyFile, server_name: serverName, insecure_skip_verify: skip = false } = settings
    let mistakes = 0
    const refuse: ReportSetting = (key, message) => {
      mistakes++
      report(key, message)
    }
    const pem = (key: 'ca_file' | 'cert_file' | 'key_file'): string | undefined => {
      const name = settings[key]
      const text = name === undefined ? undefined : read(name)
      if (text instanceof Error) refuse(key, `"${name}" can not be read: ${text.message}`)
      return text instanceof Error ? undefined : text
    }

    const [ca, cert, key] = [pem('ca_file'), pem('cert_file'), pem('key_file')]
    if (certFile !== undefined && keyFile === undefined) refuse('cert_file', 'a certificate needs its key_file')
    if (keyFile !== undefined && certFile === undefined) refuse('key_file', 'a key needs its cert_file')
    if (ca !== undefined && !holdsCertificates(ca)) refuse('ca_file', `"${caFile}" holds no certificates in PEM`)
    if (cert !== undefined && !holdsCertificates(cert)) refuse('cert_file', `"${certFile}" holds no certificates in PEM`)
    const context = mistakes > 0 ? undefined : secureContext({ ca, cert, key }, refuse)
    if (mistakes > 0 || context === undefined) return undefined

    const tls = {
      // what the files hold, so that connections to an upstream are not shared with those under a certificate of before
      id: createHash('sha256').update(JSON.stringify([ca, cert, key, serverName, skip])).digest('base64url'),
      context, verify: !skip, ...(serverName === undefined ? {} : { serverName }),
    }
    made.set(id, tls)
    return tls
  }
}

/** The same text for settings that say the same; `undefined` when they say nothing. */
function identity(settings: TlsSettings): string | undefined {
  const { ca_file, cert_file, key_file, server_name, insecure_skip_verify } = settings
  const parts = [ca_file, cert_file, key_file, server_name, insecure_skip_verify === true || undefined]
  return parts.every(part => part === undefined) ? undefined : JSON.stringify(parts)
}

function readPem(path: string): string | Error {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    return new Error(reasons[code] ?? code)
  }
}

const reasons: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EACCES: 'no permission', EISDIR: 'it is a folder' }

/** OpenSSL passes over what is no certificate in a list of authorities, and nobody would be trusted then. */
function holdsCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.map(block => new X509Certificate(block)).length > 0
  } catch {
    return false
  }
}

interface Pems {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

function secureContext({ ca, cert, key }: Pems, report: ReportSetting): SecureContext | undefined {
  try {
    return createSecureContext({ ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    report('key_file', code.includes('MISMATCH') ? 'it is not the key of the certificate' : 'it can not be used as a key in PEM without a passphrase')
    return undefined
  }
}
