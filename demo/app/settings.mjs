/** Where the app listens and where the gateway is, from the environment. */
import { readFileSync } from 'node:fs'

const { env } = process

export const settings = {
  host: env.HOST ?? '127.0.0.1',
  port: Number(env.PORT ?? 4436),
  /** The self-service endpoints as browsers see them. */
  publicUrl: env.PUBLIC_URL ?? 'http://127.0.0.1:4455/.ory/kratos/public',
  /** The admin listener as this server sees it. Never told to a browser. */
  adminUrl: env.ADMIN_URL ?? 'http://127.0.0.1:4434',
  /** Needed when the admin listener is not on loopback (`serve.admin.token`). */
  adminToken: env.ADMIN_TOKEN_FILE ? readFileSync(env.ADMIN_TOKEN_FILE, 'utf8').trim() : env.ADMIN_TOKEN,
}
