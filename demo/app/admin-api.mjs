/** What the app's server asks the gateway's admin API: flow documents and errors. Only this server can reach it, never a browser. */
import { settings } from './settings.mjs'

/**
 * The document of a flow; `undefined` when the gateway does not know the flow (any more), so that it must begin anew.
 * @param {import('./assets/form.mjs').FlowKind} kind
 * @param {string} id
 * @returns {Promise<import('./assets/form.mjs').FlowDocument | undefined>}
 */
export function fetchFlow(kind, id) {
  return ask(`/auth/browser/requests/${kind}?${new URLSearchParams({ request: id })}`)
}

/**
 * @typedef {{ code: number, status?: string, reason?: string, message: string }} FlowError
 *
 * What the gateway has to tell the person it sent to `/error?error=ID`; `undefined` when it does not know the id.
 * @param {string} id
 * @returns {Promise<FlowError[] | undefined>}
 */
export async function fetchErrors(id) {
  const found = await ask(`/errors?${new URLSearchParams({ error: id })}`)
  return Array.isArray(found) ? found : found?.errors
}

/** @param {string} path */
async function ask(path) {
  const response = await fetch(settings.adminUrl + path, {
    headers: {
      accept: 'application/json',
      ...settings.adminToken && { authorization: `Bearer ${settings.adminToken}` },
    },
    signal: AbortSignal.timeout(5_000),
  })
  if (response.status === 404 || response.status === 403 || response.status === 410) return undefined
  if (!response.ok) throw new Error(`the admin API answered ${response.status} to ${path.split('?')[0]}`)
  return response.json()
}
