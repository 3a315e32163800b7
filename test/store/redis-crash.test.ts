/**
 * A14: a process that dies between any two commands of a change leaves no half account, and one that was only asleep does
 * no harm when it wakes. The store under test is cut off from Redis at every command in turn.
 */
import t, { type Test } from 'tap'

import { GatewayError } from '../../src/errors.js'
import { parseDsn, type RedisAddress } from '../../src/store/dsn.js'
import type { Identity } from '../../src/store/records.js'
import { appended } from '../../src/store/redis-append-only.js'
import { connectRedis, type RedisCommands } from '../../src/store/redis-connection.js'
import { redisIdentities } from '../../src/store/redis-identities.js'
import type { GuardedCommands } from '../../src/store/redis-safety.js'
import { redisSessions } from '../../src/store/redis-sessions.js'
import { claimsIn, newIdentity, newSession } from '../helpers/records.js'
import { redisSkip, startRedis } from '../helpers/redis.js'

const skip = redisSkip
const reservationMs = 150

type Commands = RedisCommands & Pick<GuardedCommands, 'beginChange'>
type Identities = ReturnType<typeof redisIdentities>
/** What happens to the command at which the process stops: never sent, or sent and its answer never seen. */
type Stop = 'before' | 'after'

t.test('A14 a creation that dies at any command is complete or leaves its identifiers free', { skip }, async t => {
  const { commands, identities } = await connect(t)
  await atEveryCommand(commands, async (cut, label) => {
    const dead = newIdentity({ password: [`a ${label}`, `b ${label}`], oidc: [`c ${label}`] })
    const rival = newIdentity({ password: [`b ${label}`, `a ${label}`] })
    const stopped = await cut(cutOff => cutOff.createIdentity(dead))

    const complete = await identities.findIdentity(dead.id) !== undefined
    for (const claim of claimsIn(dead)) {
      t.equal((await identities.findIdentityByIdentifier(claim))?.id, complete ? dead.id : undefined, `${label}: all or nothing`)
    }
    const outcome = await soon(() => identities.createIdentity(rival))
    t.strictSame(outcome, complete ? claimsIn(rival)[0] : undefined, `${label}: the identifiers are ${complete ? 'held' : 'free'}`)
    for (const claim of claimsIn(rival)) {
      t.equal((await identities.findIdentityByIdentifier(claim))?.id, complete ? dead.id : rival.id)
    }
    return stopped
  })
})

t.test('A14 a creation that sleeps at any command until another took its identifiers does not come about', { skip }, async t => {
  const { commands, identities } = await connect(t)
  await atEveryCommand(commands, async (cut, label) => {
    const sleeper = newIdentity({ password: [`a ${label}`, `b ${label}`] })
    const rival = newIdentity({ password: [`b ${label}`] })
    const sleeping = { created: false }
    const stopped = await cut(cutOff => cutOff.createIdentity(sleeper).then(answer => { sleeping.created = answer === undefined }))
    const rivalTookIt = await soon(() => identities.createIdentity(rival)) === undefined

    await stopped?.wake()
    const sleeperGotIt = sleeping.created
    t.not(sleeperGotIt && rivalTookIt, true, `${label}: not both`)
    t.equal(await identities.findIdentity(sleeper.id) !== undefined, !rivalTookIt, `${label}: one of them`)
    t.equal((await identities.findIdentityByIdentifier(claimsIn(rival)[0]!))?.id, rivalTookIt ? rival.id : sleeper.id)
    const loose = await soon(() => identities.createIdentity(newIdentity({ password: [`a ${label}`] })))
    t.strictSame(loose, rivalTookIt ? undefined : claimsIn(sleeper)[0], `${label}: the other identifier`)
    return stopped
  })
})

t.test('A14 an update that dies at any command is done or undone, and what it gave up or wanted is free', { skip }, async t => {
  const { commands, identities } = await connect(t)
  await atEveryCommand(commands, async (cut, label) => {
    const before = newIdentity({ password: [`old ${label}`, `kept ${label}`] })
    const after: Identity = { ...before, credentials: { password: { identifiers: [`kept ${label}`, `new ${label}`] } }, version: 2 }
    await identities.createIdentity(before)
    const stopped = await cut(cutOff => cutOff.updateIdentity(after))

    const done = (await identities.findIdentity(before.id))?.version === 2
    const [held, free] = done ? [after, `old ${label}`] : [before, `new ${label}`]
    for (const claim of claimsIn(held)) t.strictSame(await identities.findIdentityByIdentifier(claim), held, label)
    t.equal(await identities.findIdentityByIdentifier({ method: 'password', identifier: free }), undefined, label)
    const next = newIdentity({ password: [free] })
    t.equal(await soon(() => identities.createIdentity(next)), undefined, `${label}: ${free} is free`)

    await stopped?.wake()
    t.strictSame(await identities.findIdentityByIdentifier({ method: 'password', identifier: free }), next, `${label}: and stays with the next`)
    t.equal((await identities.findIdentity(before.id))?.version, done ? 2 : 1, `${label}: waking changes nothing any more`)
    return stopped
  })
})

t.test('A14 a deletion that dies at any command is done or undone, with identifiers and sessions', { skip }, async t => {
  const { commands, identities, sessions } = await connect(t)
  await atEveryCommand(commands, async (cut, label) => {
    const identity = newIdentity({ password: [`a ${label}`], oidc: [`b ${label}`] })
    const session = newSession(identity)
    await identities.createIdentity(identity)
    await sessions.createSession(session)
    const stopped = await cut(cutOff => cutOff.deleteIdentity(identity.id))

    const gone = await identities.findIdentity(identity.id) === undefined
    t.equal(await sessions.findSession(session.tokenHash) === undefined, gone, `${label}: the session`)
    for (const claim of claimsIn(identity)) t.equal(await identities.findIdentityByIdentifier(claim) === undefined, gone, label)
    const next = newIdentity({ password: [`a ${label}`], oidc: [`b ${label}`] })
    t.equal(await soon(() => identities.createIdentity(next)) === undefined, gone, `${label}: the identifiers`)
    await stopped?.wake()
    if (gone) t.strictSame(await identities.findIdentityByIdentifier(claimsIn(next)[0]!), next, `${label}: waking takes nothing from the next`)
    return stopped
  })
})

for (const delivered of ['at once', 'late', 'never'] as const) {
  t.test(`A14 a change whose commit is delivered ${delivered}, but whose answer is lost, is done or undone as a whole`, { skip }, async t => {
    const { commands, identities } = await connect(t)
    const commits: (() => Promise<unknown>)[] = []
    const deaf = identitiesOn({
      ...commands,
      async run(script, keys, args) {
        if (!script.lua.includes('expired')) return commands.run(script, keys, args)
        commits.push(() => commands.run(script, keys, args))
        if (delivered === 'at once') await commits.pop()?.()
        throw new GatewayError('store_unavailable')
      },
    })
    const created = newIdentity({ password: ['created'], oidc: ['google:1'] })
    const before = newIdentity({ password: ['before'] })
    const after: Identity = { ...before, credentials: { password: { identifiers: ['before', 'after'] } }, version: 2 }
    await identities.createIdentity(before)
    await t.rejects(deaf.createIdentity(created), { code: 'store_unavailable' })
    await t.rejects(deaf.updateIdentity(after), { code: 'store_unavailable' })
    await new Promise(resolve => setTimeout(resolve, 50))
    if (delivered === 'late') await Promise.all(commits.map(commit => commit()))

    const done = delivered === 'at once'
    t.strictSame(await identities.findIdentity(created.id), done ? created : undefined)
    t.strictSame(await identities.findIdentity(before.id), done ? after : before)
    for (const claim of [...claimsIn(created), { method: 'password', identifier: 'after' } as const]) {
      const holder = claim.identifier === 'after' ? after : created
      t.strictSame(await identities.findIdentityByIdentifier(claim), done ? holder : undefined)
      const rival = newIdentity({ [claim.method]: [claim.identifier] })
      t.strictSame(await identities.createIdentity(rival), done ? claim : undefined, `${claim.identifier} is ${done ? 'held' : 'free'}`)
    }
  })
}

t.test('A14 what died is not listed, and hides nothing that lives', { skip }, async t => {
  const { commands, identities } = await connect(t)
  const living: Identity[] = []
  await atEveryCommand(commands, async (cut, label) => {
    const createdAt = 1_000_000 + living.length * 10
    const dead = newIdentity({ password: [`dead ${label}`], createdAt })
    const lives = newIdentity({ password: [`lives ${label}`], createdAt: createdAt + 5 })
    const stopped = await cut(cutOff => cutOff.createIdentity(dead))
    await identities.createIdentity(lives)
    living.push(...await identities.findIdentity(dead.id) === undefined ? [] : [dead], lives)
    return stopped
  })
  t.strictSame(await identities.listIdentities({ limit: 1000, offset: 0 }), living)
  const pages = []
  for (let offset = 0; offset < living.length; offset += 3) pages.push(...await identities.listIdentities({ limit: 3, offset }))
  t.strictSame(pages, living, 'page by page')
})

/** Commands of a process whose fate is in the test's hands, and a store on them. */
async function connect(t: Test) {
  const { url } = await startRedis(t)
  const connection = await connectRedis(parseDsn(url) as RedisAddress, 2_000)
  t.teardown(connection.close)
  const commands: Commands = { ...connection, beginChange: () => ({ written: () => appended(connection) }) }
  return { commands, identities: identitiesOn(commands), sessions: redisSessions(commands, 'crash:', Date.now) }
}

function identitiesOn(commands: Commands): Identities {
  return redisIdentities(commands, { keyPrefix: 'crash:', timeoutMs: 30, now: Date.now, reservationMs })
}

interface Stopped {
  /** Lets the process go on; resolves when it has done what it was doing. */
  wake(): Promise<void>
}

/** Runs the scenario with a process that stops at its first command, at its second, and so on until one gets through. */
async function atEveryCommand(
  commands: Commands,
  scenario: (cut: (act: (identities: Identities) => Promise<unknown>) => Promise<Stopped | undefined>, label: string) => Promise<Stopped | undefined>,
): Promise<void> {
  for (const stop of ['before', 'after'] as const) {
    for (let count = 0, reached = true; reached; count++) {
      const cut = (act: (identities: Identities) => Promise<unknown>): Promise<Stopped | undefined> => stopAt(commands, count, stop, act)
      reached = await scenario(cut, `${stop} command ${count}`) !== undefined
    }
  }
}

/** Acts until the command with that number; `undefined` when the act ended before it. */
async function stopAt(commands: Commands, count: number, stop: Stop, act: (identities: Identities) => Promise<unknown>): Promise<Stopped | undefined> {
  let sent = 0
  let wake: () => void = () => undefined
  const woken = new Promise<void>(resolve => { wake = resolve })
  let stopping: () => void = () => undefined
  const stopped = new Promise<void>(resolve => { stopping = resolve })

  async function pass<Result>(send: () => Promise<Result>): Promise<Result> {
    const number = sent++
    if (number < count) return send()
    if (number > count || stop === 'before') {
      stopping()
      await woken
      return send()
    }
    const answer = await send()
    stopping()
    await woken
    return answer
  }
  const acting = act(identitiesOn({
    call: (command, ...args) => pass(() => commands.call(command, ...args)),
    run: (script, keys, args) => pass(() => commands.run(script, keys, args)),
    beginChange: () => ({ written: () => pass(commands.beginChange().written) }),
  }))
  const ended = acting.then(() => undefined, () => undefined)
  const goOn = (): Promise<void> => {
    wake()
    return ended
  }
  return Promise.race([stopped.then(() => ({ wake: goOn })), ended])
}

/** The outcome once no unfinished change is in the way; rejects when one is for longer than a reservation lasts. */
async function soon<Outcome>(act: () => Promise<Outcome>): Promise<Outcome> {
  const deadline = performance.now() + 10 * reservationMs
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
  }
}
