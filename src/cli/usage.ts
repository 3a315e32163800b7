/** What the command line takes, for people: all of it, or what is about one command. */
import { version } from '../version.js'

const general = `-c may be given several times, later files win; without it config/oathgate.yml is read.
Every configuration key can come from the environment, such as URLS_REGISTRATION_UI or SERVE_PUBLIC_PORT.
identities, sessions and health ask the admin listener: --endpoint URL or OATHGATE_ADMIN_URL, and --token or OATHGATE_ADMIN_TOKEN.
`

const commands = `  oathgate serve [-c FILE]...            run the gateway
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
`

/** Of one command, or of all when there is no such command. */
export function usage(command: string): string {
  const about = linesOf(command)
  return about === '' ? `oathgate ${version}: an identity-aware reverse proxy with registration built in\n\n${commands}\n${general}` : `${about}\n${general}`
}

/** What stands below the sentence that says what is wrong: too much of it would push the sentence off the screen. */
export function reminder(command: string): string {
  const about = linesOf(command)
  return `${about === '' ? '' : `${about}\n`}\`oathgate help\` shows all of it.\n`
}

/** The command's lines, each with those that go on below it; empty when there is no such command. */
function linesOf(command: string): string {
  return commands.split(/^(?= {2}oathgate )/m).filter(entry => entry.trimStart().split(/\s/, 2)[1] === command).join('')
}
