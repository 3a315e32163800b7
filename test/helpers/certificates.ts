/** Certificates of a test's own, by openssl. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export interface CertificatePaths {
  readonly cert: string
  readonly key: string
}

/** Makes a self-signed one for the names, in the folder. `days` below 1 makes one that has expired. */
export function makeCertificate(folder: string, file: string, names: readonly string[], days = 2): CertificatePaths {
  const [cert, key] = [join(folder, `${file}.pem`), join(folder, `${file}.key`)]
  const alternatives = names.map(name => /^[0-9.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`).join(',')
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', String(days), '-subj', `/CN=${file}`,
    '-addext', `subjectAltName=${alternatives}`, '-keyout', key, '-out', cert,
  ], { stdio: 'ignore' })
  return { cert, key }
}
