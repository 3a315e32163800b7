/** The client credentials grant (RFC 6749 4.4): a token for a client that proves itself with id and secret. */
import { GatewayError } from '../errors.js'
import type { FetchBounded, OutgoingAnswer } from './outgoing.js'
import { parseJsonObject } from './remote-json.js'

export interface ClientCredentials {
  readonly tokenUrl: string
  readonly id: string
  readonly secret: string
  readonly scopes: readonly string[]
  readonly audience?: string | undefined
}

/** Asks for a token. Whatever the service answers is an answer; throws `OutgoingError` when there is none. */
export function requestToken(credentials: ClientCredentials, fetchBounded: FetchBounded): Promise<OutgoingAnswer> {
  const { tokenUrl, id, secret, scopes, audience } = credentials
  const form = new URLSearchParams({ grant_type: 'client_credentials' })
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  if (audience !== undefined) form.set('audience', audience)
  const password = `${formEncoded(id)}:${formEncoded(secret)}`
  return fetchBounded({
    url: tokenUrl,
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(password).toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
    body: form.toString(),
    timeoutMs: 5_000,
  })
}

export interface IssuedToken {
  readonly token: string
  /** Milliseconds that it is good for; absent when the service does not say. */
  readonly lifespanMs: number | undefined
}

/** The token of a 200 answer. Throws `unauthorized` when there is none. */
export function readIssuedToken({ body }: OutgoingAnswer): IssuedToken {
  const document = parseJsonObject(body)
  const token = document?.['access_token']
  if (typeof token !== 'string' || token === '') {
    throw new GatewayError('unauthorized', { detail: 'the token endpoint issued no access token' })
  }
  const seconds = Number(document?.['expires_in'])
  return { token, lifespanMs: seconds > 0 ? seconds * 1000 : undefined }
}

/** Id and secret are form-encoded before they become a password (RFC 6749 2.3.1). */
function formEncoded(text: string): string {
  return new URLSearchParams({ x: text }).toString().slice(2)
}
