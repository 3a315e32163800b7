/** An honest OpenID provider for tests (the demo's own), and a person who goes through its page. */
import { once } from 'node:events'
import type { Test } from 'tap'

import { createProviderServer } from '../../demo/provider/provider.mjs'
import { freePort } from './gateway.js'
import { newVisitor, type Page, type Visitor } from './visitor.js'

export interface TestProvider {
  readonly issuer: string
  /** An entry of `selfservice.strategies.oidc.config.providers`. */
  readonly config: Readonly<Record<string, unknown>>
  /** Lets it listen, for people who come back to that gateway, until the end of the test. Claims by subject; the demo's people unless given. */
  listen(t: Test, gateway: { readonly publicUrl: string }, claims?: Readonly<Record<string, Readonly<Record<string, unknown>>>>): Promise<void>
}

/** One that nobody can reach yet: it needs a gateway that runs, which needs to know it. */
export async function newProvider(id = 'acme', host = '127.0.0.1'): Promise<TestProvider> {
  const port = await freePort()
  const issuer = `http://${host}:${port}`
  const [clientId, clientSecret] = ['gateway', 'a secret: with spaces & signs']
  return {
    issuer,
    config: { id, provider: 'generic', client_id: clientId, client_secret: clientSecret, issuer_url: issuer },
    async listen(t, { publicUrl }, claims) {
      const server = createProviderServer({
        issuer, clientId, clientSecret, redirectUris: [`${publicUrl}/auth/browser/methods/oidc/callback/${id}`],
        ...claims === undefined ? {} : { people: Object.fromEntries(Object.entries(claims).map(([name, known]) => [name, { name, hint: '', claims: known }])) },
      })
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      t.teardown(() => {
        server.closeAllConnections()
        server.close()
      })
    },
  }
}

/** Picks a person on the provider's page, in a browser of its own, and answers the URL that the provider sends them back to. */
export async function signInAt(authorizationUrl: string, person: string): Promise<string> {
  const browser = newVisitor()
  const { origin } = new URL(authorizationUrl)
  let page = await browser.visit(authorizationUrl)
  for (let hops = 0; hops < 10; hops++) {
    if (page.location === undefined) page = await browser.submit(page.url, { person })
    else if (!page.location.startsWith(origin)) return page.location
    else page = await browser.visit(page.location)
  }
  throw new Error(`the provider does not let go: ${page.status} ${page.text}`)
}

/** The document of the flow whose page a redirect leads to, as the app's own server gets it. */
export async function flowDocument(adminUrl: string, page: Pick<Page, 'location'>): Promise<FlowDocument> {
  const location = new URL(page.location ?? '')
  const kind = location.pathname.endsWith('/login') ? 'login' : 'registration'
  const answer = await newVisitor().visit(`${adminUrl}/auth/browser/requests/${kind}?request=${location.searchParams.get('request')}`)
  return { kind, ...answer.json() as Omit<FlowDocument, 'kind'> }
}

export interface FlowDocument {
  readonly kind: 'login' | 'registration'
  readonly id: string
  readonly methods: { readonly [method: string]: { readonly config: FormDocument } }
}

export interface FormDocument {
  readonly action: string
  readonly fields: readonly FieldDocument[]
  readonly errors?: readonly { readonly message: string }[]
  readonly providers?: readonly { readonly name: string, readonly value: string }[]
}

export interface FieldDocument {
  readonly name: string
  readonly type?: string
  readonly value?: unknown
  readonly errors?: readonly { readonly message: string }[]
}

/** Begins a flow, and answers its document. */
export async function beginFlow(
  gateway: { readonly publicUrl: string, readonly adminUrl: string }, visitor: Visitor, kind: 'login' | 'registration', query = '',
): Promise<FlowDocument> {
  return flowDocument(gateway.adminUrl, await visitor.visit(`${gateway.publicUrl}/auth/browser/${kind}${query}`))
}

/** The form of a method, and its fields by name. */
export function formOf(document: FlowDocument, method = 'oidc'): { readonly form: FormDocument, readonly fields: Readonly<Record<string, FieldDocument>> } {
  const form = document.methods[method]?.config
  if (form === undefined) throw new Error(`the flow has no method ${method}`)
  return { form, fields: Object.fromEntries(form.fields.map(field => [field.name, field])) }
}

/** Posts the form of a flow's method with these values, as a browser would. */
export function submitForm(visitor: Visitor, document: FlowDocument, values: Readonly<Record<string, string>>, method = 'oidc'): Promise<Page> {
  const { form, fields } = formOf(document, method)
  return visitor.submit(form.action, { csrf_token: String(fields['csrf_token']?.value), ...values })
}

/** What is said on the form of a method, form and fields together. */
export function messagesOf(document: FlowDocument, method = 'oidc'): string[] {
  const { form } = formOf(document, method)
  return [...form.errors ?? [], ...form.fields.flatMap(({ errors }) => errors ?? [])].map(({ message }) => message)
}
