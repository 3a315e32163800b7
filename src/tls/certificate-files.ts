/** The certificates that the configuration names: read at start, and again whenever their files change. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { ConfigError, problemText, type ConfigProblem, type Place } from '../config/config-error.js'
import type { Config } from '../config/schema.js'
import { watchPath } from '../config/watch-path.js'
import type { Log } from '../log.js'
import { CertificateMistake, readCertificate, type Certificate } from './certificate.js'

export type TlsConfig = Config['serve']['public']['tls']

export interface CertificateFilesOptions {
  readonly tls: TlsConfig
  /** Where relative names start. */
  readonly baseDir: string
  /** Where the setting at a path was written. */
  readonly placeOf: (path: readonly string[]) => Place
}

/** Some mounts tell of no change; this often they are looked at anyway. */
const lookEveryMs = 60_000

/** Rejects with `ConfigError`, every mistake at once, when one of them can't be shown. */
export async function readCertificateFiles(options: CertificateFilesOptions): Promise<Certificate[]> {
  const read = await Promise.all(pairsOf(options).map(readPair))
  const problems = read.flatMap(outcome => 'mistake' in outcome ? [problemOf(outcome.mistake, options.placeOf)] : [])
  if (problems.length > 0) throw new ConfigError(problems)
  return read.flatMap(outcome => 'mistake' in outcome ? [] : [outcome.certificate])
}

/**
 * Reads them, hands them to `show`, and goes on doing so for all of them whenever one has changed. Rejects with `ConfigError` when one
 * can't be used at first; a pair that is broken later is told in the log, and the one before stays.
 */
export async function followCertificateFiles(
  options: CertificateFilesOptions, show: (certificates: readonly Certificate[]) => void, log: Log,
): Promise<{ readonly close: () => void }> {
  const pairs = pairsOf(options)
  const paths = pairs.flatMap(({ cert, key }) => [cert, key].flatMap(half => 'path' in half ? [half.path] : []))
  const watching = paths.map(path => watchPath(path, () => void look()))

  await Promise.all(watching.map(each => each.renew()))
  let shown: readonly Certificate[]
  try {
    shown = await readCertificateFiles(options)
  } catch (error) {
    for (const each of watching) each.close()
    throw error
  }
  for (const certificate of shown) tell(certificate, log)
  show(shown)

  const told = new Map<number, string>()
  let looking: Promise<void> | undefined
  let again = false

  /** One look at a time, and one more when something happened meanwhile. */
  async function look(): Promise<void> {
    again = looking !== undefined
    looking ??= lookOnce().finally(() => {
      looking = undefined
      if (again) void look()
    })
    await looking
  }

  async function lookOnce(): Promise<void> {
    await Promise.all(watching.map(each => each.renew()))
    const outcomes = await Promise.all(pairs.map(readPair))
    const next = outcomes.map((outcome, index) => {
      const before = shown[index] as Certificate
      if ('mistake' in outcome) {
        const reason = problemText(problemOf(outcome.mistake, options.placeOf))
        if (told.get(index) !== reason) log.error({ reason, expires: day(before.expiresAt) }, 'a certificate can not be used, the one before stays')
        told.set(index, reason)
        return before
      }
      told.delete(index)
      const { certificate } = outcome
      if (certificate.cert === before.cert && certificate.key === before.key) return before
      tell(certificate, log)
      return certificate
    })
    if (next.every((certificate, index) => certificate === shown[index])) return
    shown = next
    show(shown)
  }

  const timer = setInterval(() => void look(), lookEveryMs).unref()
  if (paths.length === 0) clearInterval(timer)
  return {
    close() {
      clearInterval(timer)
      for (const each of watching) each.close()
    },
  }
}

/** The text of `acme.ca_file`. Rejects with a sentence. */
export async function readAuthorities(name: string, baseDir: string): Promise<string> {
  const read = await readHalf({ setting: [], name, path: resolve(baseDir, name.replace(/^file:\/\//, '')) })
  if (typeof read !== 'string') throw new Error(`serve.public.tls.acme.ca_file: ${read.message}`)
  if (!read.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`serve.public.tls.acme.ca_file: "${name}" holds no certificate in PEM`)
  return read
}

function tell({ names, expiresAt }: Certificate, log: Log): void {
  const fields = { names, expires: day(expiresAt) }
  if (expiresAt > Date.now()) log.info(fields, 'a certificate is in force')
  else log.warn(fields, 'a certificate is in force that has expired')
}

function day(instant: number): string {
  return new Date(instant).toISOString().slice(0, 10)
}

/** One half of a pair: where it is, and the setting that says so. */
type Half = { readonly setting: readonly string[] } & ({ readonly path: string, readonly name: string } | { readonly base64: string })

interface Pair {
  readonly cert: Half
  readonly key: Half
}

interface Mistake {
  readonly setting: readonly string[]
  readonly message: string
}

/** The one in Oathkeeper's spelling first, so that it is the default. */
function pairsOf({ tls, baseDir }: CertificateFilesOptions): Pair[] {
  if (!tls.enabled) return []
  const section = ['serve', 'public', 'tls']
  const file = (name: string, ...setting: readonly string[]): Half =>
    ({ setting: [...section, ...setting], name, path: resolve(baseDir, name.replace(/^file:\/\//, '')) })
  const half = (key: 'cert' | 'key'): Half | undefined => {
    const { path, base64 } = tls[key]
    if (path !== undefined) return file(path, key, 'path')
    return base64 === undefined ? undefined : { setting: [...section, key, 'base64'], base64 }
  }

  const [cert, key] = [half('cert'), half('key')]
  return [
    ...cert === undefined || key === undefined ? [] : [{ cert, key }],
    ...tls.certificates.map(({ cert_file: certFile, key_file: keyFile }, index) => ({
      cert: file(certFile, 'certificates', String(index), 'cert_file'), key: file(keyFile, 'certificates', String(index), 'key_file'),
    })),
  ]
}

async function readPair({ cert, key }: Pair): Promise<{ readonly certificate: Certificate } | { readonly mistake: Mistake }> {
  const [certText, keyText] = await Promise.all([cert, key].map(readHalf))
  if (typeof certText !== 'string') return { mistake: certText as Mistake }
  if (typeof keyText !== 'string') return { mistake: keyText as Mistake }
  try {
    return { certificate: readCertificate(certText, keyText) }
  } catch (error) {
    if (!(error instanceof CertificateMistake)) throw error
    const blamed = error.part === 'cert' ? cert : key
    const other = error.part === 'key' && 'name' in cert ? ` (${cert.name})` : ''
    return { mistake: { setting: blamed.setting, message: `${nameOf(blamed)}${error.message}${other}` } }
  }
}

async function readHalf(half: Half): Promise<string | Mistake> {
  if ('base64' in half) return Buffer.from(half.base64, 'base64').toString('latin1')
  try {
    return await readFile(half.path, 'latin1')
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    return { setting: half.setting, message: `${nameOf(half)}can not be read: ${reasons[code] ?? code}` }
  }
}

const reasons: Readonly<Record<string, string>> = { ENOENT: 'there is no such file', EACCES: 'no permission', EISDIR: 'it is a folder' }

function nameOf(half: Half): string {
  return 'name' in half ? `"${half.name}" ` : ''
}

function problemOf({ setting, message }: Mistake, placeOf: CertificateFilesOptions['placeOf']): ConfigProblem {
  return { ...placeOf(setting), message }
}
