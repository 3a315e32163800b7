/** `npm run fuzz`: malformed requests over raw sockets, to a gateway before an upstream that parses strictly (security S24, L8). */
import { showPromises } from './promises.mjs'

await showPromises({
  name: 'fuzz',
  usage: `npm run fuzz -- [options]
Sends 24,000 seeded mutations of well and badly formed requests. A crash, a request that nobody sent, an identity that is not
the cookie's, and an answer that is not the request's are each the end of the promise.
  --requests N     how many (24000)`,
  options: { requests: { type: 'string' } },
  runs: ({ quick, requests }) => [
    { file: 'test/security/fuzz.test.ts', promises: ['L8'], env: { FUZZ_REQUESTS: Number(requests ?? (quick ? 2_000 : 24_000)) } },
  ],
})
