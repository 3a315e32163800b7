/** What one key alone can't tell: settings that make no sense, or are not safe, together. */
import { durationMs } from './duration.js'
import { pointerOf } from './layer.js'
import { isLoopback } from './loopback.js'
import { originProblem } from './origin-pattern.js'
import { tlsMistakes } from './tls-checks.js'
import type { Config } from './schema.js'
import type { SchemaProblem } from './validate.js'

/** What runs the gateway, as far as it matters to the configuration. */
export interface Runtime {
  readonly env: NodeJS.ProcessEnv
  /** Node's own options on the command line: `process.execArgv`. */
  readonly execArgv: readonly string[]
}

interface Check {
  /** Dotted paths of what it reads: it is left out when one of them has failed validation. */
  readonly reads: readonly string[]
  /** Answers the dotted path that is to blame, and a sentence. */
  readonly find: (config: Config, runtime: Runtime) => readonly (readonly [path: string, message: string])[]
}

/** The longest delay that Node's timers keep; a longer one fires at once. */
const maxTimerMs = 2 ** 31 - 1

const timers = [
  ...['public', 'admin'].flatMap(listener => ['read', 'write', 'idle'].map(name => `serve.${listener}.timeout.${name}`)),
  'serve.public.drain', 'serve.public.drain_wait', 'proxy.timeout.connect', 'proxy.timeout.response', 'proxy.timeout.body',
  'proxy.keep_alive', 'store.timeout', 'tracing.timeout', 'access_rules.poll_interval', 'selfservice.strategies.password.config.haveibeenpwned_timeout',
]
/** Durations that mean nothing, or that nothing ever comes in time, when they are 0s. */
const positive = [
  ...['public', 'admin'].flatMap(listener => ['read', 'write', 'idle'].map(name => `serve.${listener}.timeout.${name}`)),
  'store.timeout', 'selfservice.strategies.password.config.haveibeenpwned_timeout',
  'session.lifespan', 'selfservice.registration.request_lifespan', 'selfservice.login.request_lifespan',
]

export const checks: readonly Check[] = [
  {
    reads: ['dsn'],
    find: ({ dsn }) => /^(embedded|rediss?(\+[a-z]+)?):\/\/./.test(dsn)
      ? []
      : [['dsn', 'must begin with embedded://, redis://, rediss://, redis+sentinel:// or redis+cluster://']],
  },
  {
    reads: ['serve.workers', 'dsn'],
    find: ({ serve: { workers }, dsn }) => typeof workers === 'number' && workers > 1 && dsn.startsWith('embedded:')
      ? [['serve.workers', 'must be 1 with the embedded store, which serves one process; more need a dsn that begins with redis']]
      : [],
  },
  {
    reads: ['serve.admin.host', 'serve.admin.token'],
    find: ({ serve: { admin } }) => isLoopback(admin.host) || admin.token !== undefined
      ? []
      : [['serve.admin.token', 'is required when serve.admin.host is not loopback: whoever reaches it can read and delete identities']],
  },
  {
    reads: ['secrets.session', 'dsn'],
    find: ({ secrets, dsn }, { env }) => {
      if (secrets.session.length > 0) return []
      if (env['NODE_ENV'] === 'production') return [['secrets.session', `is required in production; ${makeSecret}`]]
      if (!dsn.startsWith('redis')) return []
      return [['secrets.session', `is required with Redis, so that all processes sign cookies alike; ${makeSecret}`]]
    },
  },
  {
    reads: ['urls.self.public'],
    find: ({ urls }, { env }) => {
      const url = new URL(urls.self.public)
      if (url.search !== '' || url.hash !== '') return [['urls.self.public', 'must end with its path, without ? or #']]
      if (env['NODE_ENV'] !== 'production' || url.protocol === 'https:' || isLoopback(url.hostname)) return []
      return [['urls.self.public', 'must be https in production: over http anybody on the way can take over sessions']]
    },
  },
  {
    reads: ['urls.whitelisted_return_to_domains'],
    find: ({ urls }) => urls.whitelisted_return_to_domains.flatMap((entry, index) => {
      const problem = originProblem(entry)
      return problem === undefined ? [] : [[`urls.whitelisted_return_to_domains.${index}`, problem]]
    }),
  },
  {
    reads: ['serve.public.cors.allowed_origins', 'serve.public.cors.allow_credentials'],
    find: ({ serve: { public: { cors } } }) => cors.allowed_origins.flatMap((origin, index) => {
      const problem = corsOriginProblem(origin, cors.allow_credentials)
      return problem === undefined ? [] : [[`serve.public.cors.allowed_origins.${index}`, problem]]
    }),
  },
  {
    reads: ['serve.public.tls', 'serve.public.port', 'urls.self.public'],
    find: tlsMistakes,
  },
  {
    reads: ['session.cookie', 'urls.self.public'],
    find: ({ session: { cookie }, urls }) => cookieMistakes(cookie, new URL(urls.self.public)),
  },
  ...positive.map<Check>(path => ({
    reads: [path],
    find: config => durationMs(at(config, path)) > 0 ? [] : [[path, 'must be longer than 0s']],
  })),
  ...timers.map<Check>(path => ({
    reads: [path],
    find: config => durationMs(at(config, path)) <= maxTimerMs ? [] : [[path, 'must be at most 596h']],
  })),
]

const makeSecret = '`openssl rand -base64 48` makes one'

/** Runs the checks whose settings are valid in themselves. */
export function crossCheck(config: Config, invalid: readonly SchemaProblem[], runtime: Runtime): SchemaProblem[] {
  return checks.filter(check => !check.reads.some(path => isInvalid(pointerOf(path.split('.')), invalid)))
    .flatMap(check => check.find(config, runtime))
    .map(([path, message]) => ({ pointer: pointerOf(path.split('.')), message }))
}

/** What of Node's own switches is refused in production (security X18): the variable or option, and a sentence. */
export function unsafeRuntime({ env, execArgv }: Runtime): [name: string, message: string][] {
  if (env['NODE_ENV'] !== 'production') return []
  const insecureParser = (options: readonly string[]) => options.some(option => /^--insecure[-_]http[-_]parser(=|$)/.test(option))
  const found: [string, string][] = []

  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    found.push(['NODE_TLS_REJECT_UNAUTHORIZED', 'must not be 0 in production: no certificate would be checked'])
  }
  if (insecureParser((env['NODE_OPTIONS'] ?? '').split(/\s+/))) {
    found.push(['NODE_OPTIONS', 'must not have --insecure-http-parser in production: it allows request smuggling'])
  }
  if (insecureParser(execArgv)) {
    found.push(['--insecure-http-parser', 'must not be given to node in production: it allows request smuggling'])
  }
  return found
}

/** Whether a value, something in it or something around it has failed validation. */
function isInvalid(pointer: string, problems: readonly SchemaProblem[]): boolean {
  return problems.some(problem => `${pointer}/`.startsWith(`${problem.pointer}/`) || problem.pointer.startsWith(`${pointer}/`))
}

function corsOriginProblem(origin: string, allowCredentials: boolean): string | undefined {
  if (origin === '*' && !allowCredentials) return undefined
  if (origin === '*') return 'would let every site act for whoever is logged in; with allow_credentials origins have to be named'
  if (/^https?:\/\/[^/]*[/?#]/i.test(origin)) return 'must be an origin without a path, as browsers send it'
  return originProblem(origin)
}

function cookieMistakes({ name, domain, same_site: sameSite }: Config['session']['cookie'], url: URL): [string, string][] {
  const https = url.protocol === 'https:'
  const mistakes: [string, string][] = []

  if (/^__(Host|Secure)-/i.test(name) && !https) {
    mistakes.push(['session.cookie.name', 'has a prefix that browsers accept over https only, and urls.self.public is http'])
  }
  if (/^__Host-/i.test(name) && domain !== undefined) {
    mistakes.push(['session.cookie.domain', 'must not be set when the cookie\'s name begins with __Host-'])
  }
  if (sameSite === 'None' && !https) {
    mistakes.push(['session.cookie.same_site', 'can be None only when urls.self.public is https'])
  }
  if (domain !== undefined && !covers(domain, url.hostname)) {
    mistakes.push(['session.cookie.domain', 'must be the host of urls.self.public or a domain above it, or browsers drop the cookie'])
  }
  return mistakes
}

function covers(domain: string, host: string): boolean {
  const bare = domain.replace(/^\./, '').toLowerCase()
  return bare !== '' && (host === bare || (bare.includes('.') && host.endsWith(`.${bare}`)))
}

function at(config: Config, path: string): string {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], config) as string
}
