/** All pipeline handlers, by what configuration calls them. A new one is a file and a line here. */
import { anonymous } from './authenticators/anonymous.js'
import { cookieSession } from './authenticators/cookie-session.js'
import { noop as noopAuthenticator } from './authenticators/noop.js'
import { unauthorized } from './authenticators/unauthorized.js'
import { allow } from './authorizers/allow.js'
import { deny } from './authorizers/deny.js'
import { json } from './errors/json.js'
import { redirect } from './errors/redirect.js'
import { wwwAuthenticate } from './errors/www-authenticate.js'
import { cookie } from './mutators/cookie.js'
import { header } from './mutators/header.js'
import { noop as noopMutator } from './mutators/noop.js'
import type { AnswerError, Authenticate, Authorizer, Handler, Mutator } from './pipeline.js'

export const authenticators: readonly Handler<Authenticate>[] = [anonymous, cookieSession, noopAuthenticator, unauthorized]
export const authorizers: readonly Handler<Authorizer>[] = [allow, deny]
export const mutators: readonly Handler<Mutator>[] = [cookie, header, noopMutator]
export const errorHandlers: readonly Handler<AnswerError>[] = [json, redirect, wwwAuthenticate]
