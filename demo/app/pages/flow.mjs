/** `/auth/registration` and `/auth/login`, rendered on the server from the document that the admin API gives. */
import { fetchFlow } from '../admin-api.mjs'
import { forms } from '../assets/form.mjs'
import { html } from '../assets/html.mjs'
import { settings } from '../settings.mjs'
import { page, redirect } from './layout.mjs'

/**
 * @param {import('../assets/form.mjs').FlowKind} kind
 * @returns {(url: URL) => Promise<import('./layout.mjs').Page>}
 */
export const flowPage = kind => async url => {
  const id = url.searchParams.get('request')
  const flow = id ? await fetchFlow(kind, id) : undefined
  if (!flow) return begin(kind, url.searchParams.get('return_to'))

  return page({
    title: heading(kind),
    formsLeaveSite: (flow.methods.oidc?.config.providers ?? []).length > 0,
    body: html`
      <section class="card">
        <h1>${heading(kind)}</h1>
        ${forms(flow, kind)}
        ${otherFlow(kind, returnTo(flow))}
      </section>
      <p class="aside"><a href="/spa/${kind}?${new URLSearchParams({ request: flow.id })}">Try the client-side page</a></p>`,
  })
}

/** @param {import('../assets/form.mjs').FlowKind} kind */
export function heading(kind) {
  return kind === 'registration' ? 'Create your account' : 'Welcome back'
}

/**
 * The link from one flow to the other, which takes along where the person wanted to go.
 * @param {import('../assets/form.mjs').FlowKind} kind
 * @param {string | null} target
 */
export function otherFlow(kind, target) {
  const query = target === null ? '' : `?${new URLSearchParams({ return_to: target })}`
  return kind === 'registration'
    ? html`<p class="switch">Already have an account? <a href="/auth/login${query}">Log in</a></p>`
    : html`<p class="switch">New here? <a href="/auth/registration${query}">Create an account</a></p>`
}

/**
 * To the gateway, which makes a new flow and sends the browser back here with `?request=`. It also judges `return_to`.
 * @param {import('../assets/form.mjs').FlowKind} kind
 * @param {string | null} target
 */
function begin(kind, target) {
  const query = target === null ? '' : `?${new URLSearchParams({ return_to: target })}`
  return redirect(`${settings.publicUrl}/auth/browser/${kind}${query}`)
}

/** @param {import('../assets/form.mjs').FlowDocument} flow */
function returnTo(flow) {
  return URL.canParse(flow.request_url) ? new URL(flow.request_url).searchParams.get('return_to') : null
}
