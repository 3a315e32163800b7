/** What may stand in a list of origins that the gateway lets browsers come from or go to (security R8). */
import { isIP } from 'node:net'

/** Suffixes below which anybody can have a name of their own: the best known of publicsuffix.org's private section. */
const sharedSuffixes = new Set([
  'amplifyapp.com', 'appspot.com', 'blogspot.com', 'cloudapp.net', 'cloudfront.net', 'codeberg.page', 'deno.dev', 'duckdns.org',
  'firebaseapp.com', 'fly.dev', 'github.dev', 'github.io', 'githubpreview.dev', 'gitlab.io', 'glitch.me', 'herokuapp.com',
  'lhr.life', 'loca.lt', 'myshopify.com', 'netlify.app', 'ngrok-free.app', 'ngrok.app', 'ngrok.io', 'nip.io', 'onrender.com',
  'pages.dev', 'railway.app', 'readthedocs.io', 'replit.app', 'replit.dev', 'sslip.io', 'surge.sh', 'trycloudflare.com',
  'uk.com', 'us.com', 'vercel.app', 'web.app', 'weebly.com', 'wordpress.com', 'workers.dev',
])

/** Clouds that give names away at several depths, regions and services in between. */
const sharedTrees = [
  'amazonaws.com', 'azure.com', 'azureedge.net', 'azurewebsites.net', 'elasticbeanstalk.com', 'run.app', 'windows.net',
]

/** `co.uk`, `com.au`, `or.jp`: second levels under which countries register names. */
const countrySecondLevels = new Set([
  'ac', 'co', 'com', 'edu', 'gob', 'gov', 'go', 'mil', 'ne', 'net', 'nom', 'or', 'org', 'plc', 'sch',
])

/**
 * Why an entry can't be an origin, as the rest of a sentence; `undefined` when it can. A wildcard is `*.` in front of a
 * domain that one owner has registered. The path of an entry does not matter.
 */
export function originProblem(entry: string): string | undefined {
  const [, host, port] = /^https?:\/\/([^/?#:@\\\s]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?([/?#][^\\\s]*)?$/i.exec(entry) ?? []
  if (host === undefined || Number(port ?? 0) > 65535) return 'must be an origin such as https://example.org'
  if (!host.includes('*')) return URL.canParse(entry) ? undefined : 'must be an origin such as https://example.org'

  const domain = host.slice(2).toLowerCase()
  if (!host.startsWith('*.') || domain.includes('*')) return 'may have one *, as the whole first label: https://*.example.org'
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(domain) || isIP(domain) !== 0) return 'needs a domain after *.'
  if (domain === 'localhost') return undefined
  return isShared(domain) ? `would let in everybody who has a name below ${domain}` : undefined
}

function isShared(domain: string): boolean {
  const labels = domain.split('.')
  if (labels.length === 1 || sharedSuffixes.has(domain) || sharedTrees.some(tree => `.${domain}`.endsWith(`.${tree}`))) return true
  return labels.length === 2 && labels[1]?.length === 2 && countrySecondLevels.has(labels[0] as string)
}
