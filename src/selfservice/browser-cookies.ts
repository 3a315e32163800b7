/** The cookies that self-service gives a browser, with the attributes that the configuration decides. */
import type { Config } from '../config/schema.js'
import { serializeCookie } from '../http/cookies.js'
import { csrfCookieMaxAgeSeconds, csrfCookieNames } from '../http/csrf.js'
import { deviceCookieMaxAgeSeconds, deviceCookieName } from './known-device.js'

/** Makes `Set-Cookie` values. */
export interface BrowserCookies {
  readonly sessionName: string
  readonly csrfName: string
  /** Sent to every path of the gateway; lives as long as the session unless `session.cookie.persistent` is false. */
  session(token: string, expiresAt: number): string
  endSession(): string
  /** Over http it is sent to self-service paths alone, as is `device`; over https its name wants it to be sent everywhere. */
  csrf(value: string): string
  device(value: string): string
}

/** Cookies are `Secure` whenever the public URL is https. */
export function createBrowserCookies(config: Config): BrowserCookies {
  const { name, domain, same_site: sameSite, persistent } = config.session.cookie
  const publicUrl = new URL(config.urls.self.public)
  const secure = publicUrl.protocol === 'https:'
  const session = { path: '/', secure, sameSite, ...(domain === undefined ? {} : { domain }) } as const
  const csrfName = csrfCookieNames[secure ? 'https' : 'http']
  const selfService = { path: publicUrl.pathname, secure, sameSite: 'Lax' } as const

  return {
    sessionName: name,
    csrfName,
    session: (token, expiresAt) => serializeCookie(name, token, {
      ...session,
      ...(persistent ? { maxAgeSeconds: Math.max(1, Math.floor((expiresAt - Date.now()) / 1000)) } : {}),
    }),
    endSession: () => serializeCookie(name, '', { ...session, maxAgeSeconds: 0 }),
    csrf: value => serializeCookie(csrfName, value, { ...selfService, ...(secure && { path: '/' }), maxAgeSeconds: csrfCookieMaxAgeSeconds }),
    device: value => serializeCookie(deviceCookieName, value, { ...selfService, maxAgeSeconds: deviceCookieMaxAgeSeconds }),
  }
}
