#!/usr/bin/env node
/** The command line: finds the command, runs it, turns a failure into a sentence and an exit code. */
import { UsageError } from './cli/usage-error.js'
import { ConfigError } from './config/config-error.js'
import { GatewayError } from './errors.js'
import { version } from './version.js'

/** A command gets the arguments after its name and answers its exit code. */
type Command = (args: readonly string[]) => Promise<number> | number

/** Each with what it needs, and nothing else: half of them only ask a running gateway. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./cli/serve.js')).serve,
  validate: async () => (await import('./cli/validate.js')).validate,
  rules: async () => (await import('./cli/rules.js')).rules,
  identities: async () => (await import('./cli/identities.js')).identities,
  sessions: async () => (await import('./cli/sessions.js')).sessions,
  jwks: async () => (await import('./cli/jwks.js')).jwks,
  health: async () => (await import('./cli/health.js')).health,
  docs: async () => (await import('./cli/documents.js')).documents,
  version: async () => () => say(`${version}\n`),
  help: async () => () => say(usage),
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}

const usage = `oathgate ${version}: an identity-aware reverse proxy with registration built in

  oathgate serve [-c FILE]...            run the gateway
  oathgate validate [-c FILE]...         check configuration, identity schemas and access rules
  oathgate rules list                    access rules in the files  [--json]
  oathgate rules explain METHOD URL      why a request would pass or not, and what the upstream would get
                                         [-H 'Name: value']... [--traits JSON] [--json]
  oathgate identities list               people, oldest first  [--limit N] [--offset N] [--format table|json]
                                         [--identifier NAME]: who logs in with that
  oathgate identities get ID
  oathgate identities create [FILE]      from {"traits": {...}}; without FILE from standard input
  oathgate identities import FILE|-      many, with their password hashes, from JSON Lines or a JSON array
                                         [--dry-run] [--on-conflict fail|skip] [--concurrency N]
  oathgate identities delete ID...
  oathgate sessions list IDENTITY        who is logged in, by the identity's id or what the person logs in with
                                         [--format table|json]
  oathgate sessions revoke ID...         or --identity IDENTITY for all of a person
  oathgate jwks generate                 a key set for the id_token mutator  --alg ALG [--kid ID] [--bits N]
  oathgate health alive|ready            ask a running gateway; exit code 1 when it says no
  oathgate version

-c may be given several times, later files win; without it config/oathgate.yml is read.
Every configuration key can come from the environment, such as URLS_REGISTRATION_UI or SERVE_PUBLIC_PORT.
identities, sessions and health ask the admin listener: --endpoint URL or OATHGATE_ADMIN_URL, and --token or OATHGATE_ADMIN_TOKEN.
`

async function main([name = 'help', ...args]: readonly string[]): Promise<number> {
  const known = name === '--help' || args.includes('--help') || name === '-h' ? 'help' : name === '--version' ? 'version' : name
  const command = Object.hasOwn(commands, known) ? commands[known] : undefined
  if (command === undefined) throw new UsageError(`"${name}" is not a command`)
  return (await command())(args)
}

/** What a request would be told is a generic sentence; the reason says more. */
function sentence(error: unknown): string {
  if (error instanceof GatewayError) return [error.message, error.reason, error.detail].filter(part => part !== undefined).join(': ')
  return error instanceof Error ? error.message : String(error)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${usage}`)
  else if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`)
  else process.stderr.write(`oathgate: ${sentence(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
