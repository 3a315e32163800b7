/** The demo's OpenID provider, in place of the ones where people have accounts. `node demo/provider/server.mjs` starts it. */
const { env } = process

// What oidc-provider warns of is meant for those who run one in production.
const { warn } = console
console.warn = (/** @type {unknown[]} */ ...words) => String(words[0]).includes('oidc-provider WARNING') || warn(...words)
const { createProviderServer } = await import('./provider.mjs')

const host = env.HOST ?? '127.0.0.1'
const port = Number(env.PORT ?? 4438)
const issuer = env.ISSUER ?? `http://127.0.0.1:${port}`

const server = createProviderServer({
  issuer,
  clientId: env.CLIENT_ID ?? 'oathgate',
  clientSecret: env.CLIENT_SECRET ?? 'a secret for the demo alone',
  redirectUris: [env.REDIRECT_URI ?? 'http://127.0.0.1:4455/.ory/kratos/public/auth/browser/methods/oidc/callback/demo'],
})
server.listen(port, host, () => {
  console.log(`provider: ${issuer}`)
})
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close()
    server.closeAllConnections()
  })
}
