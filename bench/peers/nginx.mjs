/** nginx in three parts: the upstream behind everything, the proxy to be compared with, and the proxy that asks a session service. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { findProgram } from '../machine.mjs'
import { freePort, startProgram } from '../processes.mjs'

/** @typedef {import('../bench.mjs').Bench} Bench */

/** About 200 bytes, as an API answers. */
export const smallAnswer = JSON.stringify({
  id: '3fa85f64-5717-4562-b3fc-2c963f66afa6', name: 'Ada Lovelace', email: 'ada@example.org', created_at: '2026-01-01T12:00:00Z',
  roles: ['reader', 'writer'], links: { self: '/people/3fa85f64' },
})

/**
 * `/…/small` answers JSON, `/…/close` the same and hangs up, `/…/64k` a file.
 * @param {Bench} bench
 */
export async function startNginxUpstream(bench) {
  const port = await freePort()
  await start(bench, 'upstream', bench.cores?.load, port, `
    access_log off;
    server {
      listen 127.0.0.1:${port} backlog=4096;
      location ~ /64k$ { root files; try_files /64k =404; default_type application/octet-stream; }
      location ~ /close$ { keepalive_timeout 0; default_type application/json; return 200 '${smallAnswer}'; }
      location / { default_type application/json; return 200 '${smallAnswer}'; }
    }`)
  return port
}

/**
 * The plain proxy. `logging`: a line per request into a file, as distributions ship it.
 * @param {Bench} bench @param {boolean} logging
 */
export async function startNginxProxy(bench, logging = false) {
  const port = await freePort()
  const program = await start(bench, logging ? 'nginx-logging' : 'nginx', bench.cores?.proxy, port, `
    ${upstreamBlock(bench.upstreamPort)}
    ${logging ? 'access_log access.log;' : 'access_log off;'}
    server { listen 127.0.0.1:${port} backlog=4096; location / { ${forwarding} } }`)
  return { program, port }
}

/**
 * The proxy with `auth_request`: every request is asked about at `servicePort`, whose answer names the person.
 * @param {Bench} bench @param {number} servicePort
 */
export async function startNginxAuthRequest(bench, servicePort) {
  const port = await freePort()
  const program = await start(bench, 'nginx-auth', bench.cores?.proxy, port, `
    ${upstreamBlock(bench.upstreamPort)}
    access_log off;
    upstream sessions { server 127.0.0.1:${servicePort}; keepalive 64; }
    server {
      listen 127.0.0.1:${port} backlog=4096;
      location = /_session {
        internal;
        proxy_pass http://sessions/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
      }
      location / {
        auth_request /_session;
        auth_request_set $user_id $upstream_http_x_user_id;
        proxy_set_header X-User-Id $user_id;
        ${forwarding}
      }
    }`)
  return { program, port }
}

/** What our own gateway sets, too. */
const forwarding = `
        proxy_pass http://behind;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Request-Id $request_id;`

/** @param {number} port */
function upstreamBlock(port) {
  return `upstream behind { server 127.0.0.1:${port}; keepalive 64; keepalive_requests 1000000000; }`
}

/** @param {Bench} bench @param {string} name @param {string | undefined} cores @param {number} port @param {string} http */
async function start(bench, name, cores, port, http) {
  const folder = join(bench.folder, name)
  mkdirSync(join(folder, 'files'), { recursive: true })
  writeFileSync(join(folder, 'files/64k'), Buffer.alloc(65_536, 'oathgate '))
  const config = join(folder, 'nginx.conf')
  writeFileSync(config, `
    daemon off;
    worker_processes 1;
    pid ${folder}/pid;
    error_log stderr error;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 4096; }
    http {
      sendfile on;
      tcp_nopush on;
      keepalive_timeout 120s;
      keepalive_requests 1000000000;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(kind => `${kind}_temp_path ${folder}/${kind};`).join(' ')}
      ${http.replaceAll('root files', `root ${folder}/files`).replaceAll('access.log', `${folder}/access.log`)}
    }\n`)
  return startProgram({ name, command: [findProgram('nginx') ?? 'nginx', '-p', folder, '-c', config], cores, port, log: join(folder, 'output.log') })
}
