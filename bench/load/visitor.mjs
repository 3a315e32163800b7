/** Somebody who signs up: opens the form, submits it, keeps the cookie. */
import { randomBytes, randomUUID } from 'node:crypto'
import { Agent, request } from 'undici'

/** @typedef {{ publicUrl: string, adminUrl: string }} Gateway */

const agent = new Agent({ connections: 64 })

/**
 * Signs up once. Rejects when the gateway does not let them; the session cookie as `name=value`.
 * @param {Gateway} gateway
 */
export async function signUp(gateway) {
  // Two UUIDs are too similar now and then for a password and an address.
  const done = await submitForm(await openForm(gateway), { 'password': randomBytes(18).toString('base64url'), 'traits.email': `${randomUUID()}@example.org` })
  const session = cookies(done.headers)
  if (done.status !== 302 || session === '') throw new Error(`the sign-up was answered with ${done.status} ${done.headers.location ?? ''} ${done.text}`)
  return session
}

/**
 * Begins to sign up, and reads the form.
 * @param {Gateway} gateway
 */
export async function openForm({ publicUrl, adminUrl }) {
  const begun = await ask(`${publicUrl}/auth/browser/registration`)
  const id = new URL(String(begun.headers.location)).searchParams.get('request')
  const flow = await ask(`${adminUrl}/auth/browser/requests/registration?request=${id}`)
  const { action, fields } = JSON.parse(flow.text).methods.password.config
  const token = fields.find((/** @type {{ name: string }} */ { name }) => name === 'csrf_token').value
  return { action: String(action), token: String(token), cookie: cookies(begun.headers) }
}

/** @param {Awaited<ReturnType<typeof openForm>>} form @param {Record<string, string>} values */
export function submitForm({ action, token, cookie }, values) {
  return ask(action, { cookie, body: new URLSearchParams({ csrf_token: token, ...values }).toString() })
}

/** @param {string} url @param {{ cookie: string, body: string }} [form] */
async function ask(url, form) {
  const { statusCode, headers, body } = await request(url, {
    dispatcher: agent,
    ...form && { method: 'POST', body: form.body, headers: { cookie: form.cookie, 'content-type': 'application/x-www-form-urlencoded' } },
  })
  return { status: statusCode, headers, text: await body.text() }
}

/** @param {import('node:http').IncomingHttpHeaders} headers */
function cookies(headers) {
  return [headers['set-cookie'] ?? []].flat().filter(field => !/Max-Age=0/.test(field)).map(field => field.split(';', 1)[0]).join('; ')
}
