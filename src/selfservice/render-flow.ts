/** A flow as the JSON document of the seed's day (contract 3). The one place that knows this wire format. */
import { maskCsrfToken } from '../http/csrf.js'
import type { SchemaField } from '../identity/identity-schema.js'
import type { Flow, FlowForm, JsonValue, Method, Problem } from '../store/records.js'
import { problemMessage } from './messages.js'

/** What forms are made from besides the flow itself. */
export interface FormModel {
  /** `urls.self.public`. */
  readonly publicUrl: string
  /** Enabled methods. */
  readonly methods: readonly Method[]
  /** Traits of the default identity schema, in its textual order. */
  readonly traitFields: readonly SchemaField[]
  /** Ids of the configured OpenID providers. */
  readonly providers: readonly string[]
}

interface Message { readonly message: string }

interface Field {
  readonly name: string
  readonly type?: string
  readonly pattern?: string
  readonly required?: true
  readonly value?: JsonValue
  readonly errors?: readonly Message[]
}

interface FormDocument {
  readonly action: string
  readonly method: 'POST'
  readonly fields: readonly Field[]
  readonly errors?: readonly Message[]
  readonly providers?: readonly Field[]
}

/** A registration or login request as the UI app fetches it. The CSRF token in it is masked anew at each call. */
export interface FlowDocument {
  readonly id: string
  readonly expires_at: string
  readonly issued_at: string
  readonly request_url: string
  readonly methods: { readonly [method in Method]?: { readonly method: Method, readonly config: FormDocument } }
}

/** Renders what is stored; asks nobody. */
export function renderFlow(flow: Flow, model: FormModel): FlowDocument {
  const config = { password: passwordForm, oidc: oidcForm }
  // Keys in the order of the document's day: alphabetical.
  const methods = [...model.methods].sort().map(method => [method, { method, config: config[method](flow, model) }] as const)
  return {
    id: flow.id,
    expires_at: new Date(flow.expiresAt).toISOString(),
    issued_at: new Date(flow.issuedAt).toISOString(),
    request_url: flow.requestUrl,
    methods: Object.fromEntries(methods),
  }
}

const freshForm: FlowForm = { values: {}, problems: [] }

function passwordForm(flow: Flow, { publicUrl, traitFields }: FormModel): FormDocument {
  const form = flow.forms.password ?? freshForm
  const password: Field = { name: 'password', type: 'password', required: true }
  const own: readonly Field[] = flow.kind === 'login'
    ? [{ name: 'identifier', type: 'text', required: true }, password]
    : [password, ...traitFields.map(traitField)]
  return {
    action: `${publicUrl}/auth/browser/methods/password/${flow.kind}?request=${flow.id}`,
    method: 'POST',
    fields: [csrfField(flow), ...filled(own, form)],
    ...formErrors(form.problems),
  }
}

function oidcForm(flow: Flow, { publicUrl, traitFields, providers }: FormModel): FormDocument {
  const form = flow.forms.oidc ?? freshForm
  // Traits show up only once a provider has left some of them open.
  const touched = traitFields.map(traitField).filter(({ name }) => mentions(form, name))
  return {
    action: `${publicUrl}/auth/browser/methods/oidc/auth/${flow.id}`,
    method: 'POST',
    fields: [csrfField(flow), ...filled(touched, form)],
    ...formErrors(form.problems),
    // Who has proved who they are completes that, and is not sent away again.
    providers: (flow.proof === undefined ? providers : [flow.proof.provider]).map(value => ({ name: 'provider', type: 'submit', value })),
  }
}

function csrfField(flow: Flow): Field {
  return { name: 'csrf_token', type: 'hidden', required: true, value: maskCsrfToken(flow.csrfToken) }
}

function traitField({ name, type, pattern, required }: SchemaField): Field {
  return { name, type, ...(pattern === undefined ? {} : { pattern }), ...(required ? { required: true } as const : {}) }
}

/** The fields with what was submitted and what was wrong with it; items of a list stand behind the list's own field. */
function filled(fields: readonly Field[], form: FlowForm): Field[] {
  const shown: Field[] = []
  const names = new Set(fields.map(({ name }) => name))
  const extra = [...new Set([...Object.keys(form.values), ...form.problems.flatMap(({ field }) => field ?? [])])]
    .filter(name => !names.has(name))

  for (const field of fields) {
    shown.push(filledField(field, form))
    for (const name of extra) {
      if (name.startsWith(`${field.name}.`)) shown.push(filledField({ name, ...inherited(field, name, form) }, form))
    }
  }
  const placed = new Set(shown.map(({ name }) => name))
  for (const name of extra) {
    if (!placed.has(name)) shown.push(filledField({ name }, form))
  }
  return shown
}

function inherited({ type }: Field, name: string, form: FlowForm): Pick<Field, 'type'> {
  return type === undefined || !Object.hasOwn(form.values, name) ? {} : { type }
}

function filledField(field: Field, form: FlowForm): Field {
  const value = Object.hasOwn(form.values, field.name) ? form.values[field.name] : undefined
  const errors = form.problems.filter(problem => problem.field === field.name).map(toMessage)
  return {
    ...field,
    ...(value === undefined || value === null ? {} : { value }),
    ...(errors.length === 0 ? {} : { errors }),
  }
}

function formErrors(problems: readonly Problem[]): Pick<FormDocument, 'errors'> {
  const errors = problems.filter(({ field }) => field === undefined).map(toMessage)
  return errors.length === 0 ? {} : { errors }
}

function mentions(form: FlowForm, name: string): boolean {
  const concerns = (candidate: string | undefined): boolean => candidate === name || candidate?.startsWith(`${name}.`) === true
  return Object.keys(form.values).some(concerns) || form.problems.some(({ field }) => concerns(field))
}

function toMessage(problem: Problem): Message {
  return { message: problemMessage(problem) }
}
