/** `oathgate validate`: everything that a start would check, without starting. */
import { createRemoteAccess } from '../access/remote-access.js'
import { loadRules } from '../access/repositories.js'
import type { RuleSet } from '../access/rules.js'
import { loadIdentitySchemas, type IdentitySchemas } from '../identity/identity-schema.js'
import { ruleServices } from '../part-options.js'
import { parseDsn } from '../store/dsn.js'
import type { Certificate } from '../tls/certificate.js'
import { readCertificateFiles } from '../tls/certificate-files.js'
import { configFiles, configOptions, meantForConfig, noMore, readOptions } from './options.js'
import { loadChecked } from './serve.js'

/** 0 and a summary when all of it is right; throws with every mistake and its place otherwise. Warnings go to standard error. */
export async function validate(args: readonly string[]): Promise<number> {
  const { values, positionals } = readOptions(args, configOptions)
  noMore(positionals, meantForConfig)
  const { config, warnings, baseDir, placeOf } = await loadChecked(configFiles(values.config))
  parseDsn(config.dsn)

  const { default_schema_url: defaultUrl, schemas } = config.identity.traits
  const [loadedSchemas, rules] = await allOrEveryMistake<[IdentitySchemas, RuleSet, readonly Certificate[]]>([
    loadIdentitySchemas({ defaultUrl, schemas, baseDir }),
    loadRules(config, baseDir, ruleServices(config, noSessions, createRemoteAccess(baseDir))),
    readCertificateFiles({ tls: config.serve.public.tls, baseDir, placeOf }),
  ])

  for (const warning of [...warnings, ...loadedSchemas.warnings, ...rules.warnings]) process.stderr.write(`warning: ${warning}\n`)
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`
  process.stdout.write(`valid: ${count(rules.count, 'access rule')}, ${count(schemas.length + 1, 'identity schema')}\n`)
  return 0
}

/** Rules are compiled against these and never asked for a session. */
const noSessions = {
  issue: neverAsked, verify: neverAsked, revoke: neverAsked, revokeAll: neverAsked, list: neverAsked, find: neverAsked, revokeById: neverAsked,
}

function neverAsked(): Promise<never> {
  return Promise.reject(new Error('there are no sessions while validating'))
}

/** Waits for all of them, so that mistakes of the one do not hide those of the others. */
async function allOrEveryMistake<Results extends readonly unknown[]>(promises: { readonly [At in keyof Results]: Promise<Results[At]> }): Promise<Results> {
  const settled = await Promise.allSettled(promises as readonly Promise<unknown>[])
  const mistakes = settled.flatMap(result => result.status === 'rejected' ? [(result.reason as Error).message] : [])
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
  return settled.map(result => (result as PromiseFulfilledResult<unknown>).value) as unknown as Results
}
