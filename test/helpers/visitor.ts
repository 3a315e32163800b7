/** A browser without a screen: a cookie jar, redirects followed one at a time, forms submitted as the page's HTML would. */
import { request, Agent } from 'undici'

/** Connections of their own, so that a test's gateway is not kept waiting at its end. */
const agent = new Agent({ keepAliveTimeout: 10, pipelining: 1 })

export interface Page {
  readonly url: string
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
  /** `Location`, absolute; absent when there is none. */
  readonly location: string | undefined
  json(): any // eslint-disable-line @typescript-eslint/no-explicit-any -- a test looks into whatever came
}

export interface SendOptions {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
}

export interface Visitor {
  /** What it would send as `Cookie` to a path. */
  readonly jar: Map<string, { value: string, path: string }>
  send(url: string, options?: SendOptions): Promise<Page>
  visit(url: string, headers?: Record<string, string>): Promise<Page>
  /** Asks as a script does, for JSON. */
  fetch(url: string, headers?: Record<string, string>): Promise<Page>
  /** Posts fields as a form; `fields` may hold a name several times when given as pairs. */
  submit(url: string, fields: Record<string, string> | readonly (readonly [string, string])[], headers?: Record<string, string>): Promise<Page>
  submitJson(url: string, document: unknown, headers?: Record<string, string>): Promise<Page>
}

/** A fresh visitor with an empty jar. */
export function newVisitor(): Visitor {
  const jar = new Map<string, { value: string, path: string }>()

  async function send(url: string, options: SendOptions = {}): Promise<Page> {
    const { pathname } = new URL(url)
    const cookie = [...jar].filter(([, { path }]) => pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .map(([name, { value }]) => `${name}=${value}`).join('; ')
    const answer = await request(url, {
      method: (options.method ?? 'GET') as 'GET',
      headers: { ...(cookie === '' ? {} : { cookie }), ...options.headers },
      ...(options.body === undefined ? {} : { body: options.body }),
      dispatcher: agent,
    })
    const text = await answer.body.text()
    for (const field of [answer.headers['set-cookie'] ?? []].flat()) store(jar, field)
    const location = answer.headers['location']
    return {
      url, status: answer.statusCode, headers: answer.headers, text,
      location: typeof location === 'string' ? new URL(location, url).href : undefined,
      json: () => JSON.parse(text),
    }
  }

  return {
    jar,
    send,
    visit: (url, headers = {}) => send(url, { headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', ...headers } }),
    fetch: (url, headers = {}) => send(url, { headers: { accept: 'application/json', ...headers } }),
    submit: (url, fields, headers = {}) => send(url, {
      method: 'POST',
      headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: new URLSearchParams(Array.isArray(fields) ? fields.map(pair => [...pair] as [string, string]) : fields as Record<string, string>).toString(),
    }),
    submitJson: (url, document, headers = {}) => send(url, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json', ...headers },
      body: JSON.stringify(document),
    }),
  }
}

function store(jar: Map<string, { value: string, path: string }>, field: string): void {
  const [pair = '', ...attributes] = field.split(';').map(part => part.trim())
  const at = pair.indexOf('=')
  const name = pair.slice(0, at)
  const find = (wanted: string): string | undefined => attributes
    .find(attribute => attribute.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1)
  if (find('max-age') === '0') jar.delete(name)
  else jar.set(name, { value: pair.slice(at + 1), path: find('path') ?? '/' })
}
