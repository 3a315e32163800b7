/** Certificates of a test's own, by openssl. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export interface CertificatePaths {
  readonly cert: string
  readonly key: string
}

/** Makes a self-signed one for the names, in the folder. */
export function makeCertificate(folder: string, file: string, names: readonly string[]): CertificatePaths {
  const [cert, key] = [join(folder, `${file}.pem`), join(folder, `${file}.key`)]
  const alternatives = names.map(name => /^[0-9.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`).join(',')
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${file}`,
    '-addext', `subjectAltName=${alternatives}`, '-keyout', key, '-out', cert,
  ], { stdio: 'ignore' })
  return { cert, key }
}

/** Makes one that expired yesterday. */
export function makeExpiredCertificate(folder: string, file: string, names: readonly string[]): CertificatePaths {
  const { cert, key } = makeCertificate(folder, file, names)
  execFileSync('openssl', ['x509', '-in', cert, '-signkey', key, '-days', '-1', '-out', cert], { stdio: 'ignore' })
  return { cert, key }
}
