/** The steps of a visit through registration and login, so that tests read as visits. */
import type { TestGateway } from './gateway.js'
import { ui } from './gateway.js'
import { newVisitor, type Page, type Visitor } from './visitor.js'

export type Kind = 'registration' | 'login'

/** What a visit needs to know of a gateway, whether it runs in this process or in one of its own. */
export type GatewayAddress = Pick<TestGateway, 'publicUrl' | 'adminUrl'>

export interface Message { readonly message: string }

export interface Field {
  readonly name: string
  readonly type?: string
  readonly required?: boolean
  readonly pattern?: string
  readonly value?: unknown
  readonly errors?: readonly Message[]
}

export interface Form {
  readonly action: string
  readonly method: string
  readonly fields: readonly Field[]
  readonly errors?: readonly Message[]
}

export interface FlowDocument {
  readonly id: string
  readonly expires_at: string
  readonly issued_at: string
  readonly request_url: string
  readonly methods: Readonly<Record<string, { readonly method: string, readonly config: Form }>>
}

/** A form that stands open in a visitor's browser. */
export interface OpenForm extends Form {
  readonly id: string
  /** The masked token that the form carries. */
  readonly csrf: string
}

/** Nothing stands against it (contract P2). */
export const goodPassword = 'l3f9toh1uaf81n21'

/** Begins a flow; its id. */
export async function begin(visitor: Visitor, gateway: GatewayAddress, kind: Kind, query = ''): Promise<string> {
  return flowIdOf(await visitor.visit(`${gateway.publicUrl}/auth/browser/${kind}${query}`))
}

/** The flow whose page a redirect leads to; throws when the page leads elsewhere. */
export function flowIdOf(page: Page): string {
  const id = page.location?.startsWith(`${ui}/auth/`) === true ? new URL(page.location).searchParams.get('request') : null
  if (page.status !== 302 || id === null) throw new Error(`expected a redirect to a form, got ${page.status} ${page.location ?? page.text}`)
  return id
}

/** The document of a flow as the app's own server reads it: on the admin listener, without cookies. */
export async function readFlow(gateway: GatewayAddress, kind: Kind, id: string): Promise<FlowDocument> {
  const page = await newVisitor().fetch(`${gateway.adminUrl}/auth/browser/requests/${kind}?request=${id}`)
  if (page.status !== 200) throw new Error(`expected the document of a flow, got ${page.status} ${page.text}`)
  return page.json() as FlowDocument
}

/** The password form of a flow. */
export async function readForm(gateway: GatewayAddress, kind: Kind, id: string): Promise<OpenForm> {
  return openForm(await readFlow(gateway, kind, id))
}

/** The password form in a flow's document. */
export function openForm({ id, methods }: FlowDocument): OpenForm {
  const config = methods['password']?.config
  const csrf = config?.fields.find(({ name }) => name === 'csrf_token')?.value
  if (config === undefined || typeof csrf !== 'string') throw new Error('the flow has no password form')
  return { ...config, id, csrf }
}

/** Begins a flow and reads its form. */
export async function open(visitor: Visitor, gateway: GatewayAddress, kind: Kind, query = ''): Promise<OpenForm> {
  return readForm(gateway, kind, await begin(visitor, gateway, kind, query))
}

/** What is wrong with one field, or with the form as a whole. */
export function messagesOf(form: Form, field?: string): string[] {
  const errors = field === undefined ? form.errors : fieldOf(form, field)?.errors
  return (errors ?? []).map(({ message }) => message)
}

export function fieldOf(form: Form, name: string): Field | undefined {
  return form.fields.find(field => field.name === name)
}

/** Signs somebody up under the test schema, from the first visit to the last answer. */
export async function signUp(visitor: Visitor, gateway: GatewayAddress, username: string, password = goodPassword): Promise<Page> {
  const { action, csrf } = await open(visitor, gateway, 'registration')
  return visitor.submit(action, { csrf_token: csrf, password, 'traits.username': username, 'traits.foobar': 'bar' })
}

export async function logIn(visitor: Visitor, gateway: GatewayAddress, identifier: string, password = goodPassword): Promise<Page> {
  const { action, csrf } = await open(visitor, gateway, 'login')
  return visitor.submit(action, { csrf_token: csrf, identifier, password })
}

export function logOut(visitor: Visitor, gateway: GatewayAddress): Promise<Page> {
  return visitor.visit(`${gateway.publicUrl}/auth/browser/logout`)
}

export function whoAmI(visitor: Visitor, gateway: GatewayAddress): Promise<Page> {
  return visitor.fetch(`${gateway.publicUrl}/sessions/whoami`)
}

/** The username that the visitor is logged in with; `undefined` for nobody. */
export async function usernameOf(visitor: Visitor, gateway: GatewayAddress): Promise<string | undefined> {
  const page = await whoAmI(visitor, gateway)
  return page.status === 200 ? (page.json() as { identity: { traits: { username: string } } }).identity.traits.username : undefined
}

export interface ErrorObject {
  readonly code: number
  readonly status?: string
  readonly reason?: string
  readonly message: string
}

/** The errors that a redirect to the app's error page tells of; throws when the page leads elsewhere. */
export async function errorsOf(gateway: GatewayAddress, page: Page): Promise<ErrorObject[]> {
  const id = page.location?.startsWith(`${ui}/error?`) === true ? new URL(page.location).searchParams.get('error') : null
  if (page.status !== 302 || id === null) throw new Error(`expected a redirect to the error page, got ${page.status} ${page.location ?? page.text}`)
  const answer = await newVisitor().fetch(`${gateway.publicUrl}/errors?error=${id}`)
  if (answer.status !== 200) throw new Error(`expected the stored errors, got ${answer.status} ${answer.text}`)
  return answer.json() as ErrorObject[]
}

/** How many identities there are (500 at most are seen), so that tests can say that nothing was created. */
export async function countIdentities(gateway: GatewayAddress): Promise<number> {
  return (await identitiesOf(gateway)).length
}

export interface IdentityDocument {
  readonly id: string
  readonly traits_schema_id: string
  readonly traits_schema_url: string
  readonly traits: Readonly<Record<string, unknown>>
}

export async function identitiesOf(gateway: GatewayAddress): Promise<IdentityDocument[]> {
  return (await newVisitor().fetch(`${gateway.adminUrl}/identities?limit=500`)).json() as IdentityDocument[]
}
