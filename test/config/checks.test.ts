/** Settings that make no sense, or are not safe, together. */
import t from 'tap'

import { originProblem } from '../../src/config/origin-pattern.js'
import { isLoopback } from '../../src/config/loopback.js'
import { complaints, minimalYaml } from '../helpers/config-files.js'

const secret = 's'.repeat(32)
const production = { NODE_ENV: 'production', SECRETS_SESSION: secret }
const publicHttp = minimalYaml.replace('https://example.org/.ory', 'http://example.org/.ory')
const localHttp = minimalYaml.replace('https://example.org/.ory', 'http://127.0.0.1:4455/.ory')

const cases: [name: string, yaml: string, env: NodeJS.ProcessEnv, complaints: string[]][] = [
  ['an admin listener on all addresses needs a token', 'serve: { admin: { host: 0.0.0.0 } }\n', {}, ['0.yml:10:10 serve.admin.token is required when serve.admin.host is not loopback: whoever reaches it can read and delete identities']],
  ['so does one on a name', 'serve: { api: { host: gateway.internal } }\n', {}, ['0.yml:10:10 serve.api.token is required when serve.admin.host is not loopback: whoever reaches it can read and delete identities']],
  ['so does one on an empty address, which is all', 'serve: { admin: { host: "" } }\n', {}, ['0.yml:10:10 serve.admin.token is required when serve.admin.host is not loopback: whoever reaches it can read and delete identities']],
  ['with a token it may be open', 'serve: { admin: { host: "::" } }\n', { SERVE_ADMIN_TOKEN: secret }, []],
  ['on loopback it needs none', 'serve: { admin: { host: "::1" } }\n', {}, []],

  ['K1 production needs secrets', '', { NODE_ENV: 'production' }, ['0.yml:1:1 secrets.session is required in production; `openssl rand -base64 48` makes one']],
  ['K1 short secrets are refused', 'secrets: { session: [short] }\n', {}, ['0.yml:10:22 secrets.session[0] must have at least 32 characters']],
  ['Redis needs secrets', 'dsn: redis://127.0.0.1\n', {}, ['0.yml:1:1 secrets.session is required with Redis, so that all processes sign cookies alike; `openssl rand -base64 48` makes one']],
  ['with secrets production starts', '', production, []],

  ['production refuses a public http URL', publicHttp, production, ['0.yml:2:11 urls.self.public must be https in production: over http anybody on the way can take over sessions']],
  ['production accepts http on loopback', localHttp, production, []],
  ['elsewhere http is accepted', publicHttp, {}, []],
  ['the public URL has no query', minimalYaml.replace('kratos/public', 'kratos/public?x=1'), {}, ['0.yml:2:11 urls.self.public must end with its path, without ? or #']],

  ['X18 unchecked certificates', '', { ...production, NODE_TLS_REJECT_UNAUTHORIZED: '0' }, ['NODE_TLS_REJECT_UNAUTHORIZED must not be 0 in production: no certificate would be checked']],
  ['X18 the lenient parser', '', { ...production, NODE_OPTIONS: '--max-http-header-size=1 --insecure-http-parser' }, ['NODE_OPTIONS must not have --insecure-http-parser in production: it allows request smuggling']],
  ['X18 in its other spelling', '', { ...production, NODE_OPTIONS: '--insecure_http_parser' }, ['NODE_OPTIONS must not have --insecure-http-parser in production: it allows request smuggling']],
  ['X18 outside production they are somebody\'s experiment', '', { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_OPTIONS: '--insecure-http-parser' }, []],
  ['X18 certificates are checked', '', { ...production, NODE_TLS_REJECT_UNAUTHORIZED: '1', NODE_OPTIONS: '--no-insecure-http-parser' }, []],

  ['R8 an unbounded wildcard', minimalYaml.replace('identity:', '  whitelisted_return_to_domains: [https://ok.example, "https://*.com"]\nidentity:'), {}, ['0.yml:7:55 urls.whitelisted_return_to_domains[1] would let in everybody who has a name below com']],
  ['CORS with credentials names its origins', 'serve: { proxy: { cors: { allowed_origins: ["*"], allow_credentials: true } } }\n', {}, ['0.yml:10:45 serve.proxy.cors.allowed_origins[0] would let every site act for whoever is logged in; with allow_credentials origins have to be named']],
  ['CORS without credentials may be open', 'serve: { public: { cors: { allowed_origins: ["*"] } } }\n', {}, []],
  ['CORS origins have no path', 'serve: { public: { cors: { allowed_origins: ["https://a.example/"] } } }\n', {}, ['0.yml:10:46 serve.public.cors.allowed_origins[0] must be an origin without a path, as browsers send it']],
  ['CORS wildcards are bounded', 'serve: { public: { cors: { allowed_origins: ["https://*example.com", "https://*.example.com"] } } }\n', {}, ['0.yml:10:46 serve.public.cors.allowed_origins[0] may have one *, as the whole first label: https://*.example.org']],

  ['TLS needs an https URL', `${publicHttp}serve: { public: { tls: { certificates: [{ cert_file: a, key_file: b }] } } }\n`, {}, ['0.yml:2:11 urls.self.public must be https where serve.public.tls has certificates: cookies go by it']],
  ['a redirect leads to TLS', 'serve: { public: { tls: { redirect: { enabled: true } } } }\n', {}, ['0.yml:10:39 serve.public.tls.redirect.enabled leads to https, and serve.public.tls has no certificates']],
  ['and has a port of its own', 'serve: { proxy: { port: 1, tls: { cert: { path: a }, key: { path: b }, redirect: { enabled: true, port: 1 } } } }\n', {}, ['0.yml:10:99 serve.proxy.tls.redirect.port is the port of serve.public; plain HTTP needs one of its own']],
  ['HSTS without TLS locks people out', 'serve: { public: { tls: { hsts: { max_age: 300 } } } }\n', {}, ['0.yml:10:35 serve.public.tls.hsts.max_age would lock browsers into https, and serve.public.tls has no certificates']],
  ['HSTS without an age is not sent', 'serve: { public: { tls: { hsts: { preload: true } } } }\n', {}, ['0.yml:10:27 serve.public.tls.hsts.max_age is required: without it the header is not sent']],
  ['HSTS that no list would take', 'serve: { public: { tls: { certificates: [{ cert_file: a, key_file: b }], hsts: { max_age: 300, include_subdomains: true, preload: true } } } }\n', {}, ['0.yml:10:122 serve.public.tls.hsts.preload needs include_subdomains and a max_age of at least 31536000 seconds']],
  ['a certificate has a key', 'serve: { public: { tls: { cert: { path: a } } } }\n', {}, ['0.yml:10:20 serve.public.tls.key is required: a certificate needs its key']],
  ['a certificate is in one place', 'serve: { public: { tls: { cert: { path: a, base64: b }, key: { path: b } } } }\n', {}, ['0.yml:10:44 serve.public.tls.cert.base64 is the same as serve.public.tls.cert.path; keep one of them']],
  ['ACME needs the terms agreed to, and plain HTTP', 'serve: { public: { tls: { acme: { domains: [a.example] } } } }\n', {}, [
    '0.yml:10:20 serve.public.tls.redirect.enabled must be true for ACME: the authority asks over plain HTTP',
    '0.yml:10:27 serve.public.tls.acme.terms_of_service_agreed must be true: read the terms of the authority, and say so',
  ]],
  ['ACME by HTTP-01 has no wildcards', 'serve: { public: { tls: { acme: { domains: ["*.a.example"] } } } }\n', {}, ['0.yml:10:45 serve.public.tls.acme.domains[0] must be a lower-case host name such as www.example.org; there are no wildcards by HTTP-01']],
  ['TLS that is off needs nothing', `${publicHttp}serve: { public: { tls: { enabled: false, certificates: [{ cert_file: a, key_file: b }], redirect: { enabled: true } } } }\n`, {}, []],

  ['a __Host- cookie has no domain', 'session: { cookie: { name: __Host-s, domain: example.org } }\n', {}, ['0.yml:10:38 session.cookie.domain must not be set when the cookie\'s name begins with __Host-']],
  ['a __Host- cookie needs https', `${localHttp}session: { cookie: { name: __host-s } }\n`, {}, ['0.yml:10:22 session.cookie.name has a prefix that browsers accept over https only, and urls.self.public is http']],
  ['a __Secure- cookie needs https', `${localHttp}session: { cookie: { name: __Secure-s } }\n`, {}, ['0.yml:10:22 session.cookie.name has a prefix that browsers accept over https only, and urls.self.public is http']],
  ['a __Host- cookie over https', 'session: { cookie: { name: __Host-s } }\n', {}, []],
  ['SameSite=None needs https', `${localHttp}session: { cookie: { same_site: None } }\n`, {}, ['0.yml:10:22 session.cookie.same_site can be None only when urls.self.public is https']],
  ['SameSite=None over https', 'session: { cookie: { same_site: None } }\n', {}, []],
  ['a cookie of another domain is dropped by browsers', 'session: { cookie: { domain: ample.org } }\n', {}, ['0.yml:10:22 session.cookie.domain must be the host of urls.self.public or a domain above it, or browsers drop the cookie']],
  ['a cookie of the whole domain', 'session: { cookie: { domain: .example.org } }\n', {}, []],

  ['an unknown kind of store', 'dsn: postgres://user:secret@db/kratos\n', {}, ['0.yml:10:1 dsn must begin with embedded://, redis://, rediss://, redis+sentinel:// or redis+cluster://']],
  ['a client that is never waited for', 'serve: { public: { timeout: { write: 0s } }, admin: { timeout: { idle: 0s } } }\n', {}, [
    '0.yml:10:31 serve.public.timeout.write must be longer than 0s', '0.yml:10:66 serve.admin.timeout.idle must be longer than 0s',
  ]],
  ['a store that never answers in time', 'store: { timeout: 0s }\n', {}, ['0.yml:10:10 store.timeout must be longer than 0s']],
  ['a session that never lives', 'session: { lifespan: 0s }\n', {}, ['0.yml:10:12 session.lifespan must be longer than 0s']],
  ['a timeout beyond what timers keep', 'proxy: { timeout: { response: 600h, connect: 596h } }\n', {}, ['0.yml:10:21 proxy.timeout.response must be at most 596h']],

  ['what is wrong elsewhere does not hide them', 'serve: { admin: { host: 0.0.0.0 }, public: { port: x } }\nsession: 5\n', { NODE_ENV: 'production' }, [
    '0.yml:1:1 secrets.session is required in production; `openssl rand -base64 48` makes one',
    '0.yml:10:10 serve.admin.token is required when serve.admin.host is not loopback: whoever reaches it can read and delete identities',
    '0.yml:10:46 serve.public.port must be a whole number, not a text',
    '0.yml:11:1 session must be a map, not a number',
  ]],
]

for (const [name, yaml, env, expected] of cases) {
  t.test(name, async t => t.same(await complaints(t, yaml, env), expected))
}

t.test('X18 the lenient parser on the command line', async t => {
  t.same(await complaints(t, '', production, { execArgv: ['--enable-source-maps', '--insecure-http-parser'] }), ['--insecure-http-parser must not be given to node in production: it allows request smuggling'])
})

t.test('R8 origins that may be listed, and those that may not', t => {
  for (const origin of [
    'https://example.org', 'http://127.0.0.1:4455', 'https://example.org/path?query', 'https://[::1]:8443', 'HTTPS://Example.ORG',
    'https://*.example.org', 'https://*.app.example.co.uk', 'https://*.example.co.uk', 'https://*.me.github.io', 'http://*.localhost:3000',
  ]) t.equal(originProblem(origin), undefined, origin)

  for (const origin of [
    'https://*', 'https://*.com', 'https://*foo.com', 'https://*.github.io', 'https://*.GitHub.io', 'https://*.co.uk', 'https://*.com.au',
    'https://*.herokuapp.com', 'https://*.s3.eu-west-1.amazonaws.com', 'https://*.blob.core.windows.net', 'https://*.*.example.org',
    'https://a.*.example.org', 'https://example.*', 'https://*.', 'https://*.10.0.0.1', 'https://*.example.org.', '*', 'example.org',
    '//example.org', 'javascript:alert(1)', 'http:example.org', 'https://user@example.org', 'https://example.org:99999', 'https://exa mple.org',
    'https://example.org\\@evil.example', 'ftp://example.org', '', 'null', 'file:///etc/passwd',
  ]) t.type(originProblem(origin), 'string', origin)
  t.end()
})

t.test('what is loopback', t => {
  for (const host of ['127.0.0.1', '127.255.0.1', '::1', '[::1]', 'localhost', 'LOCALHOST', 'app.localhost', '::ffff:127.0.0.1']) t.ok(isLoopback(host), host)
  for (const host of ['', '0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'localhost.example.org', 'notlocalhost', '127.0.0.1.example.org', '127.1', '::ffff:10.0.0.1']) t.notOk(isLoopback(host), host)
  t.end()
})
