#!/usr/bin/env node
/** The command line: finds the command, runs it, turns a failure into a sentence and an exit code. */
import { reminder, usage } from './cli/usage.js'
import { UsageError } from './cli/usage-error.js'
import { ConfigError } from './config/config-error.js'
import { nearest } from './config/nearest.js'
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
  help: async () => () => say(usage('')),
}

function say(text: string): number {
  process.stdout.write(text)
  return 0
}

async function main([name = 'help', ...args]: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) return say(usage(name))
  const known = name === '--help' || name === '-h' ? 'help' : name === '--version' ? 'version' : name
  const command = Object.hasOwn(commands, known) ? commands[known] : undefined
  if (command !== undefined) return (await command())(args)

  const meant = nearest(name, Object.keys(commands))
  throw new UsageError(`"${name}" is not a command${meant === undefined ? '' : `; did you mean ${meant}?`}`, meant)
}

/** What a request would be told is a generic sentence; the reason says more. */
function sentence(error: unknown): string {
  if (error instanceof GatewayError) return [error.message, error.reason, error.detail].filter(part => part !== undefined).join(': ')
  return error instanceof Error ? error.message : String(error)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n\n${reminder(error.command ?? process.argv[2] ?? '')}`)
  else if (error instanceof ConfigError) process.stderr.write(`${error.message}\n`)
  else process.stderr.write(`oathgate: ${sentence(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
