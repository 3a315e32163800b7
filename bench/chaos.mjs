/** `npm run chaos`: what breaks, and what the gateway promises when it does (security, the L table). */
import { showPromises } from './promises.mjs'

await showPromises({
  name: 'chaos',
  usage: `npm run chaos -- [options]
Kills, freezes, cuts and restarts what the gateway stands on, under load, and says what its clients noticed.
About twenty minutes; redis-server, haproxy and faketime have to be installed.
  --rounds N       kills per store, and restarts of each replica (10)`,
  options: { rounds: { type: 'string' } },
  runs({ quick, rounds: given }) {
    const rounds = Number(given ?? (quick ? 1 : 10))
    return [
      { file: 'test/crash/sign-ups.test.ts', promises: ['L1', 'L2', 'L16'], env: { KILL_ROUNDS: rounds } },
      { file: 'test/store/redis-start.test.ts', promises: ['L3'], env: {} },
      { file: 'test/crash/replicas.test.ts', promises: ['L4'], env: { SESSIONS: quick ? 40 : 2_000 } },
      { file: 'test/crash/revocation.test.ts', promises: ['L4'], env: {} },
      { file: 'test/crash/failover.test.ts', promises: ['L18'], env: { FAILOVERS: quick ? 3 : 5 } },
      { file: 'test/crash/balancer.test.ts', promises: ['L5'], env: { RESTART_ROUNDS: quick ? 1 : Math.ceil(rounds / 3) } },
      { file: 'test/crash/outage.test.ts', promises: ['L6'], env: { OUTAGE_MS: quick ? 3_000 : 10_000 } },
      { file: 'test/crash/slow-redis.test.ts', promises: ['L6'], env: {} },
      { file: 'test/crash/reload.test.ts', promises: ['L7'], env: { RELOAD_RATE: 500 } },
      { file: 'test/crash/slow-clients.test.ts', promises: ['L11'], env: { SLOW_CLIENTS: quick ? 150 : 1_000 } },
      { file: 'test/security/robustness.test.ts', promises: ['L13'], env: {} },
      { file: 'test/crash/repeats.test.ts', promises: ['L14'], env: { REPEAT_REQUESTS: quick ? 1_000 : 10_000 } },
      { file: 'test/crash/boot.test.ts', promises: ['L15'], env: { BOOTS: quick ? 5 : 20 } },
      { file: 'test/crash/clock.test.ts', promises: ['L19'], env: {} },
      {
        file: 'test/crash/crossing.test.ts', promises: ['L17'],
        env: { CROSSING_USERS: quick ? 100 : 1_000, CROSSING_REQUESTS: quick ? 6_000 : 200_000 },
      },
    ]
  },
})
