/** All pipeline handlers, by what configuration calls them. A new one is a file and a line here. */
import { anonymous } from './authenticators/anonymous.js'
import { bearerToken } from './authenticators/bearer-token.js'
import { cookieSession } from './authenticators/cookie-session.js'
import { jwt } from './authenticators/jwt.js'
import { noop as noopAuthenticator } from './authenticators/noop.js'
import { oauth2ClientCredentials } from './authenticators/oauth2-client-credentials.js'
import { oauth2Introspection } from './authenticators/oauth2-introspection.js'
import { unauthorized } from './authenticators/unauthorized.js'
import { allow } from './authorizers/allow.js'
import { deny } from './authorizers/deny.js'
import { ketoEngineAcpOry } from './authorizers/keto-engine-acp-ory.js'
import { remoteJson } from './authorizers/remote-json.js'
import { remote } from './authorizers/remote.js'
import { json } from './errors/json.js'
import { redirect } from './errors/redirect.js'
import { wwwAuthenticate } from './errors/www-authenticate.js'
import { cookie } from './mutators/cookie.js'
import { header } from './mutators/header.js'
import { hydrator } from './mutators/hydrator.js'
import { idToken } from './mutators/id-token.js'
import { noop as noopMutator } from './mutators/noop.js'
import type { AnswerError, Authenticate, Authorizer, Handler, Mutator } from './pipeline.js'

export const authenticators: readonly Handler<Authenticate>[] = [
  anonymous, bearerToken, cookieSession, jwt, noopAuthenticator, oauth2ClientCredentials, oauth2Introspection, unauthorized,
]
export const authorizers: readonly Handler<Authorizer>[] = [allow, deny, ketoEngineAcpOry, remote, remoteJson]
export const mutators: readonly Handler<Mutator>[] = [cookie, header, hydrator, idToken, noopMutator]
export const errorHandlers: readonly Handler<AnswerError>[] = [json, redirect, wwwAuthenticate]

/** The schemas of all handlers' `config`, by section and name, as the configuration's documents and the environment want them. */
export function handlerSchemas(): Readonly<Record<string, Readonly<Record<string, object>>>> {
  const byName = (handlers: readonly Handler<unknown>[]): Record<string, object> =>
    Object.fromEntries(handlers.map(({ name, config }) => [name, config]))
  return {
    authenticators: byName(authenticators), authorizers: byName(authorizers), mutators: byName(mutators), errors: byName(errorHandlers),
  }
}
