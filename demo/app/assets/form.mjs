/** Renders the forms of a flow document field by field, whatever the identity schema asks for. Runs on the server and in the browser. */
import { html } from './html.mjs'
import { autocomplete, capitalised, label, wording } from './labels.mjs'

/**
 * @typedef {{ message: string }} Message
 * @typedef {{
 *   name: string, type?: string, title?: string, pattern?: string, required?: boolean, disabled?: boolean,
 *   value?: string | number | boolean, errors?: Message[]
 * }} Field
 * @typedef {{ action: string, method: string, fields: Field[], errors?: Message[], providers?: Field[] }} FormConfig
 * @typedef {{
 *   id: string, request_url: string, expires_at: string,
 *   methods: { password?: { config: FormConfig }, oidc?: { config: FormConfig } }
 * }} FlowDocument What `/auth/browser/requests/{registration,login}` answers.
 * @typedef {'registration' | 'login'} FlowKind
 */

const inputTypes = new Set(['text', 'email', 'password', 'number', 'url', 'tel', 'date', 'datetime-local'])

/**
 * All forms of the flow: one for the password, one with a button for each provider. Who comes back from a provider that did
 * not tell everything sees the form for the rest of it alone.
 * @param {FlowDocument} flow
 * @param {FlowKind} kind
 */
export function forms(flow, kind) {
  const verb = kind === 'registration' ? 'Sign up' : 'Log in'
  const password = flow.methods.password?.config
  const oidc = flow.methods.oidc?.config
  const providers = oidc?.providers ?? []
  const buttons = providers.map(provider => html`
    <button type="submit" class="secondary" name="${provider.name}" value="${provider.value}">
      ${verb} with ${capitalised(String(provider.value))}
    </button>`)
  if (oidc && oidc.fields.some(field => !isHidden(field))) return html`<p>One more step:</p>${form(oidc, 'oidc', kind, buttons)}`

  return html`
    ${password && form(password, 'password', kind, html`<button type="submit">${verb}</button>`)}
    ${password && providers.length > 0 && html`<p class="or">or</p>`}
    ${oidc && providers.length > 0 && form(oidc, 'oidc', kind, buttons)}
    ${!password && providers.length === 0 && html`<p role="alert" class="alert">There is no method to ${verb.toLowerCase()} with.</p>`}`
}

/**
 * `novalidate`: the gateway judges, so that everybody meets the same messages, at the field and read out by screen readers.
 * @param {FormConfig} config
 * @param {string} method Begins the ids, since two forms of a page may ask for the same field.
 * @param {FlowKind} kind
 * @param {unknown} buttons
 */
function form(config, method, kind, buttons) {
  const hidden = config.fields.filter(isHidden)
  // The password last, where people look for it.
  const visible = config.fields.filter(field => !isHidden(field)).sort((a, b) => Number(isPassword(a)) - Number(isPassword(b)))
  const messages = [...config.errors ?? [], ...hidden.flatMap(field => field.errors ?? [])]
  const firstInvalid = visible.find(field => field.errors?.length)

  return html`
    <form action="${config.action}" method="${config.method}" novalidate>
      ${messages.length > 0 && html`
        <div role="alert" class="alert">${messages.map(({ message }) => html`<p>${wording(message)}</p>`)}</div>`}
      ${hidden.map(field => html`<input type="hidden" name="${field.name}" value="${field.value}">`)}
      ${visible.map(field => fieldRow(field, `${method}-${encodeURIComponent(field.name)}`, kind, field === firstInvalid))}
      ${buttons}
    </form>`
}

/**
 * @param {Field} field
 * @param {string} id
 * @param {FlowKind} kind
 * @param {boolean} focused
 */
function fieldRow(field, id, kind, focused) {
  const messages = field.errors ?? []
  const attributes = html`
    id="${id}" name="${field.name}"
    ${messages.length > 0 && html`aria-invalid="true" aria-describedby="${id}-messages"`}
    ${field.required && html`required`} ${field.disabled && html`disabled`} ${focused && html`autofocus`}`

  return html`
    <div class="field">
      ${field.type === 'checkbox' ? checkbox(field, id, attributes) : textInput(field, id, attributes, kind)}
      ${messages.length > 0 && html`
        <div class="messages" id="${id}-messages">
          ${wordings(field).map(text => html`<p>${text}</p>`)}
        </div>`}
    </div>`
}

/**
 * What to say at a field. Of one that was left empty everything is wrong that can be; people need to hear one thing.
 * @param {Field} field
 */
function wordings(field) {
  const { errors = [], name, value } = field
  return value === '' && errors.length > 0 ? ['Please fill this in.'] : errors.map(({ message }) => wording(message, name))
}

/**
 * An unticked box is not sent at all; the hidden `false` before it says "no" in its place, and a ticked one comes last and wins.
 * @param {Field} field
 * @param {string} id
 * @param {unknown} attributes
 */
function checkbox(field, id, attributes) {
  const ticked = field.value === true || field.value === 'true'
  return html`
    <input type="hidden" name="${field.name}" value="false">
    <label class="checkbox" for="${id}">
      <input type="checkbox" value="true" ${ticked && html`checked`} ${attributes}>
      <span>${label(field)}</span>
    </label>`
}

/**
 * @param {Field} field
 * @param {string} id
 * @param {unknown} attributes
 * @param {FlowKind} kind
 */
function textInput(field, id, attributes, kind) {
  const type = field.type !== undefined && inputTypes.has(field.type) ? field.type : 'text'
  const filledBy = type === 'password' ? (kind === 'login' ? 'current-password' : 'new-password') : autocomplete(field.name)
  return html`
    <label for="${id}">${label(field)}${!field.required && html` <span class="optional">optional</span>`}</label>
    <input type="${type}" ${type === 'number' && html`step="any"`} ${filledBy && html`autocomplete="${filledBy}"`}
      ${field.pattern !== undefined && html`pattern="${field.pattern}"`}
      ${type !== 'password' && field.value !== undefined && html`value="${field.value}"`} ${attributes}>`
}

/** @param {Field} field */
function isHidden(field) {
  return field.type === 'hidden'
}

/** @param {Field} field */
function isPassword(field) {
  return field.type === 'password'
}
