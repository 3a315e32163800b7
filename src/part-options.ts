/** The configuration in the words of the parts: what each of them is told of it, durations in milliseconds. */
import type { Services } from './access/pipeline.js'
import type { RemoteAccess } from './access/remote-access.js'
import { durationMs } from './config/duration.js'
import type { Config } from './config/schema.js'
import { csrfCookieNames } from './http/csrf.js'
import type { HasherOptions } from './identity/password-hash.js'
import type { ForwarderOptions } from './proxy/forward.js'
import type { UpgraderOptions } from './proxy/upgrade.js'
import { deviceCookieName } from './selfservice/known-device.js'
import { sessionDocument } from './session/document.js'
import type { Sessions } from './session/sessions.js'

/** What the handlers of access rules may use of the rest. */
export function ruleServices(config: Config, sessions: Sessions, { fetchBounded, responses, keySets, baseDir }: RemoteAccess): Services {
  const publicUrl = config.urls.self.public.replace(/\/+$/, '')
  return {
    sessions, sessionCookie: config.session.cookie.name, sessionDocument: found => sessionDocument(found, publicUrl),
    fetchBounded, responses, keySets, baseDir,
  }
}

/** For passwords. */
export function hasherOptions({ hashers, selfservice }: Config): HasherOptions {
  return {
    ...hashers.argon2, decoy: hashers.imported.decoy,
    maxPasswordBytes: selfservice.strategies.password.config.max_password_bytes,
  }
}

/** For proxied requests. */
export function forwarderOptions(config: Config): Omit<ForwarderOptions, 'refusePeer'> {
  const { timeout, connections, keep_alive: keepAlive } = config.proxy
  return {
    timeout: { connect: durationMs(timeout.connect), response: durationMs(timeout.response), body: durationMs(timeout.body) },
    connections,
    keepAlive: durationMs(keepAlive),
    maxBodyBytes: config.serve.public.limits.body_bytes,
    ownCookies: ownCookies(config),
  }
}

/** What no upstream sees or sets. */
export function ownCookies(config: Config): readonly string[] {
  return [config.session.cookie.name, ...Object.values(csrfCookieNames), deviceCookieName]
}

/** For WebSockets. */
export function upgraderOptions(config: Config): Omit<UpgraderOptions, 'refusePeer'> {
  const { timeout } = config.proxy
  return {
    timeout: { connect: durationMs(timeout.connect), response: durationMs(timeout.response) },
    ownCookies: ownCookies(config),
    allowedOrigins: config.serve.public.cors.enabled ? config.serve.public.cors.allowed_origins : [],
  }
}
