/** `npm run soak`: whether memory stays where it is over a million requests of all kinds (security X16, L10). */
import { showPromises } from './promises.mjs'

await showPromises({
  name: 'soak',
  usage: `npm run soak -- [options]
Proxied requests, with and without a session, refused ones, posts, answers given up by their client, WebSockets and sign-ups.
After each fiftieth of them the heap is collected and measured. Flat is what grows by less than a mebibyte per 100,000 requests,
by the slope (Theil and Sen's) through all measurements of the second half. About twenty minutes.
  --requests N     how many (1000000)`,
  options: { requests: { type: 'string' } },
  runs: ({ quick, requests }) => [
    { file: 'test/crash/soak.test.ts', promises: ['L10'], env: { SOAK_REQUESTS: Number(requests ?? (quick ? 20_000 : 1_000_000)) } },
  ],
})
