/** The goals, as data: what is compared with what, and how much is enough. */

/**
 * @typedef {object} Goal
 * @property {string} id
 * @property {string} what
 * @property {import('./figures.mjs').Bound} bound
 * @property {string} limit What could be had at the very best.
 */

/** @type {readonly Goal[]} */
export const goals = [
  { id: 'plain-small', what: 'plain proxied GET, small, req/s of nginx (one worker)', bound: { atLeast: 0.45 }, limit: '0.84 (bytes only)' },
  { id: 'plain-64k', what: 'plain proxied GET, 64 KiB, req/s of nginx', bound: { atLeast: 0.60 }, limit: '1.1' },
  { id: 'session-own', what: 'GET with a valid session on Redis, req/s of our own plain GET', bound: { atLeast: 0.85 }, limit: '1' },
  { id: 'session-peer', what: 'the same, req/s of nginx + auth_request + a Node session service on Redis', bound: { atLeast: 1.2 }, limit: '3.5' },
  { id: 'session-ory', what: 'the same, req/s of Oathkeeper + Kratos', bound: { atLeast: 4 }, limit: '-' },
  { id: 'rules', what: '10,000 rules, each request for another one, req/s of 10 rules', bound: { atLeast: 0.95 }, limit: '1' },
  { id: 'rules-in-use', what: '10,000 rules, ten of them in use, req/s of 10 rules', bound: { atLeast: 0.95 }, limit: '1' },
  { id: 'latency-p50', what: 'added latency at 2,000 req/s, p50 of what nginx adds', bound: { atMost: 2 }, limit: '1' },
  { id: 'latency-p99', what: 'added latency at 2,000 req/s, p99 of what nginx adds', bound: { atMost: 3 }, limit: '1' },
  { id: 'flood-p99', what: 'p99 of proxied requests while sign-ups flood, of idle p99', bound: { atMost: 2 }, limit: '1' },
  { id: 'flood-own', what: 'the same, of p99 while another process hashes as much', bound: { atMost: 1.2 }, limit: '1' },
  { id: 'sign-ups', what: 'sign-ups per second, of what argon2 alone allows on the same cores', bound: { atLeast: 0.85 }, limit: '1' },
  { id: 'memory', what: 'resident memory after 1M requests, of after 200k', bound: { atMost: 1.05 }, limit: '1' },
  { id: 'plain-logged', what: 'plain proxied GET, small, a log line per request, req/s of nginx with its access log', bound: { atLeast: 0.45 }, limit: '-' },
  { id: 'two-processes', what: 'two processes on two cores over one Redis, req/s of one', bound: { atLeast: 1.8 }, limit: '2' },
]

/** For `--only steps`: ratios to another checkout, which no change may make worse. @type {readonly Goal[]} */
export const steps = [
  { id: 'step-small', what: 'plain proxied GET, small, req/s of --against', bound: { atLeast: 1 }, limit: '-' },
  { id: 'step-large', what: 'plain proxied GET, 64 KiB, req/s of --against', bound: { atLeast: 1 }, limit: '-' },
  { id: 'step-closing-upstream', what: 'small, a new upstream connection for each, req/s of --against', bound: { atLeast: 1 }, limit: '-' },
  { id: 'step-closing-client', what: 'small, a new client connection for each, req/s of --against', bound: { atLeast: 1 }, limit: '-' },
  { id: 'step-session', what: 'GET with a valid session, req/s of --against', bound: { atLeast: 1 }, limit: '-' },
]
