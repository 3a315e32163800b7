/**
 * Registration and login as a client-side app does them: the document comes from the gateway's public API (the cookie of this
 * browser is the key to it), the submit is JSON, and what is wrong appears without leaving the page. Without `fetch` working
 * the very same form goes out as a plain one.
 */
import { forms } from './form.mjs'
import { toString } from './html.mjs'

const root = /** @type {HTMLElement} */ (document.getElementById('flow'))
const kind = /** @type {import('./form.mjs').FlowKind} */ (root.dataset.kind)
const publicPath = root.dataset.publicPath ?? ''

root.addEventListener('submit', event => {
  const form = /** @type {HTMLFormElement} */ (event.target)
  // Buttons of OpenID providers lead away from here: let the browser go.
  if (/** @type {SubmitEvent} */ (event).submitter?.hasAttribute('name')) return
  event.preventDefault()
  void submit(form)
})
await load(new URLSearchParams(location.search).get('request'))

/** @param {string | null} id */
async function load(id) {
  const response = id && await fetch(`${publicPath}/auth/browser/requests/${kind}?${new URLSearchParams({ request: id })}`, {
    headers: { accept: 'application/json' },
  })
  if (!response || !response.ok) return begin()
  render(await response.json())
}

/** @param {HTMLFormElement} form */
async function submit(form) {
  const button = form.querySelector('button')
  button?.setAttribute('disabled', '')
  const { csrf_token: csrfToken, ...values } = readForm(form)

  let response
  try {
    response = await fetch(form.action, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json', 'x-csrf-token': String(csrfToken) },
      body: JSON.stringify(values),
    })
  }
  catch {
    // Such as a redirect to another site, which `fetch` may not follow.
    return form.submit()
  }

  // The gateway answers success with the same redirect as for a plain form; `fetch` has followed it. Without a `redirect` job
  // there is none.
  if (response.ok) return location.assign(response.redirected ? response.url : '/')
  const answer = await response.json().catch(() => undefined)
  if (answer?.methods) return render(answer)
  // Expired or used: the gateway has begun a new flow, which says so.
  if (response.status === 410) return load(answer?.error?.details?.use_flow_id ?? null)
  if (response.status === 404) return begin()

  button?.removeAttribute('disabled')
  alertAbove(form, answer?.error?.reason ?? answer?.error?.message ?? 'The server did not understand. Please try again.')
}

/** A new flow; it begins on the page that `urls.registration_ui` (or `login_ui`) names. */
function begin() {
  location.replace(`${publicPath}/auth/browser/${kind}`)
}

/** @param {import('./form.mjs').FlowDocument} flow */
function render(flow) {
  root.innerHTML = toString(forms(flow, kind))
  history.replaceState(null, '', `?${new URLSearchParams({ request: flow.id })}`)
  const first = root.querySelector('[aria-invalid], [role=alert]')
  if (first instanceof HTMLElement) focus(first)
}

/**
 * @param {HTMLFormElement} form
 * @param {string} text
 */
function alertAbove(form, text) {
  form.querySelector('[role=alert]')?.remove()
  const alert = Object.assign(document.createElement('div'), { className: 'alert', role: 'alert', textContent: text })
  form.prepend(alert)
  focus(alert)
}

/** @param {HTMLElement} element */
function focus(element) {
  if (element.role === 'alert') element.tabIndex = -1
  element.focus()
}

/**
 * The form as JSON: `traits.name.first` becomes `{ traits: { name: { first } } }`, numbers and boxes have their own types, and
 * what was left empty is left out.
 * @param {HTMLFormElement} form
 */
function readForm(form) {
  /** @type {Record<string, unknown>} */
  const values = {}
  for (const input of form.querySelectorAll('input')) {
    const value = valueOf(input)
    if (value !== undefined) assign(values, input.name.split('.'), value)
  }
  return values
}

/** @param {HTMLInputElement} input */
function valueOf(input) {
  if (input.type === 'checkbox') return input.checked
  if (input.value === '') return undefined
  return input.type === 'number' ? input.valueAsNumber : input.value
}

/**
 * @param {Record<string, unknown>} target
 * @param {string[]} path
 * @param {unknown} value
 */
function assign(target, [key = '', ...rest], value) {
  if (rest.length === 0) target[key] = value
  else assign(/** @type {Record<string, unknown>} */ (target[key] ??= {}), rest, value)
}
