/** What every store must do with sessions. */
import type { Identity, Session } from '../../../src/store/records.js'
import { newHash, newIdentity, newSession } from '../../helpers/records.js'
import { hour, type Contract } from './place.js'

/** Sessions: found with their identity until they end, and never again. */
export function sessionContract(contract: Contract): void {
  contract('a session is found with its identity as that is now, until its end', async (t, store, place) => {
    const identity = newIdentity({ password: ['ann'] })
    const session = newSession(identity)
    await store.createIdentity(identity)
    await store.createSession(session)
    t.strictSame(await store.findSession(session.tokenHash), { session, identity })
    t.strictSame(await store.findSessionById(session.id), session)
    const changed: Identity = { ...identity, traits: { name: 'Ann' }, version: 2 }
    await store.updateIdentity(changed)
    t.strictSame(await store.findSession(session.tokenHash), { session, identity: changed })
    place.advanceClock(hour / 2)
    t.ok(await store.findSession(session.tokenHash))
    place.advanceClock(hour / 2)
    t.equal(await store.findSession(session.tokenHash), undefined)
    t.equal(await store.findSessionById(session.id), undefined)
    t.strictSame(await store.listSessionsOf(identity.id), [])
    t.equal(await store.deleteSessionsOf(identity.id), 0)
    t.equal(await store.deleteSession(session.tokenHash), false)
  })

  contract('sessions are counted while they last', async (t, store, place) => {
    t.equal(await store.countSessions(), 0)
    const [ann, bob] = [newIdentity({ password: ['ann'] }), newIdentity({ password: ['bob'] })]
    await store.createIdentity(ann)
    await store.createIdentity(bob)
    const [first, second, short] = [newSession(ann), newSession(ann), newSession(ann, { expiresAt: Date.now() + hour / 4 })]
    const others = Array.from({ length: 3 }, () => newSession(bob))
    for (const session of [first, second, short, ...others, newSession(newIdentity({}))]) await store.createSession(session)
    t.equal(await store.countSessions(), 6, 'one without an identity is none')

    await store.deleteSession(first.tokenHash)
    await store.deleteSession(first.tokenHash)
    t.equal(await store.countSessions(), 5)
    place.advanceClock(hour / 4)
    t.equal(await store.countSessions(), 4)
    await store.deleteSessionsOf(bob.id, others[0]?.tokenHash)
    t.equal(await store.countSessions(), 2)
    await store.deleteIdentity(ann.id)
    t.equal(await store.countSessions(), 1)
    await store.createSession(newSession(bob, { expiresAt: Date.now() + 2 * hour }))
    place.advanceClock(hour)
    t.equal(await store.countSessions(), 1)
  })

  contract('no session comes into being without an identity, or after its end', async (t, store) => {
    const [identity, stranger] = [newIdentity({ password: ['ann'] }), newIdentity({})]
    await store.createIdentity(identity)
    const over = newSession(identity, { expiresAt: Date.now() - 1 })
    const ownerless = newSession(stranger)
    await store.createSession(over)
    await store.createSession(ownerless)
    t.equal(await store.findSession(over.tokenHash), undefined)
    t.equal(await store.findSession(ownerless.tokenHash), undefined)
    t.strictSame(await store.listSessionsOf(stranger.id), [])
  })

  contract('being seen moves a session\'s last use, forwards only, and never brings it back', async (t, store, place) => {
    const identity = newIdentity({ password: ['ann'] })
    const session = newSession(identity)
    const lastSeenAt = session.lastSeenAt + 60_000
    await store.createIdentity(identity)
    await store.createSession(session)
    await store.touchSession(session.tokenHash, lastSeenAt)
    await store.touchSession(session.tokenHash, lastSeenAt - 1)
    t.strictSame(await store.findSession(session.tokenHash), { session: { ...session, lastSeenAt }, identity })
    t.strictSame(await store.findSessionById(session.id), { ...session, lastSeenAt })
    t.strictSame(await store.listSessionsOf(identity.id), [{ ...session, lastSeenAt }])

    const others = Array.from({ length: 20 }, () => newSession(identity))
    for (const other of others) await store.createSession(other)
    await Promise.all(others.flatMap(({ tokenHash }) => [store.deleteSession(tokenHash), store.touchSession(tokenHash, lastSeenAt)]))
    for (const { tokenHash } of others) t.equal(await store.findSession(tokenHash), undefined)
    await store.touchSession(newHash(), lastSeenAt)
    place.advanceClock(hour)
    await store.touchSession(session.tokenHash, Date.now() + hour)
    t.equal(await store.findSession(session.tokenHash), undefined, 'nor lengthens it')
  })

  contract('X15 a session that was over stays so when the clock is set back, and one that was not is as good as before', async (t, store, place) => {
    const identity = newIdentity({ password: ['ann'] })
    const [short, long] = [newSession(identity, { expiresAt: Date.now() + 1_000 }), newSession(identity)]
    await store.createIdentity(identity)
    for (const session of [short, long]) await store.createSession(session)
    place.advanceClock(hour / 2)
    t.equal(await store.findSession(short.tokenHash), undefined)
    t.ok(await store.findSession(long.tokenHash))
    await new Promise(resolve => setTimeout(resolve, 1_100)) // Redis has a clock of its own
    place.advanceClock(-hour)
    t.equal(await store.findSession(short.tokenHash), undefined)
    t.ok(await store.findSession(long.tokenHash))
    t.strictSame((await store.listSessionsOf(identity.id)).map(({ id }) => id), [long.id])
  })

  contract('X15 a session is ended for not being used once that is so, for exactly one caller', async (t, store, place) => {
    const identity = newIdentity({ password: ['ann'] })
    const [used, unused] = [newSession(identity), newSession(identity)]
    await store.createIdentity(identity)
    for (const session of [used, unused]) await store.createSession(session, 2_000)
    t.equal(await store.endIdleSession(newHash(), 300), 'gone')
    t.equal(await store.endIdleSession(unused.tokenHash, 2_000), 'used')
    await new Promise(resolve => setTimeout(resolve, 500)) // Redis has a clock of its own
    await store.touchSession(used.tokenHash, Date.now(), 2_000)
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => store.endIdleSession(unused.tokenHash, 300)))
    t.strictSame(outcomes.sort(), ['ended', ...Array.from({ length: 9 }, () => 'gone')])
    t.equal(await store.endIdleSession(used.tokenHash, 300), 'used')
    t.strictSame((await store.listSessionsOf(identity.id)).map(({ id }) => id), [used.id])
    t.equal(await store.countSessions(), 1)

    place.advanceClock(-hour)
    await store.touchSession(used.tokenHash, Date.now() - hour, 2_000)
    place.advanceClock(2 * hour)
    await store.touchSession(used.tokenHash, Date.now() + hour, 2_000)
    place.advanceClock(-hour)
    await store.touchSession(used.tokenHash, Date.now(), 2_000)
    const lastSeenAt = (await store.findSession(used.tokenHash))?.session.lastSeenAt ?? 0
    t.ok(Math.abs(lastSeenAt - Date.now()) < 130_000, 'a clock that was set leaves no last use in the future')
  })

  contract('a session that is deleted is gone at once, for exactly one caller', async (t, store) => {
    const identity = newIdentity({ password: ['ann'] })
    const session = newSession(identity)
    await store.createIdentity(identity)
    await store.createSession(session)
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.deleteSession(session.tokenHash)))
    t.equal(outcomes.filter(Boolean).length, 1)
    t.equal(await store.findSession(session.tokenHash), undefined)
    t.equal(await store.findSessionById(session.id), undefined)
    t.strictSame(await store.listSessionsOf(identity.id), [])
  })

  contract('all sessions of an identity end together, but for one that may stay', async (t, store) => {
    const [ann, bob] = [newIdentity({ password: ['ann'] }), newIdentity({ password: ['bob'] })]
    for (const identity of [ann, bob]) await store.createIdentity(identity)
    const sessions = Array.from({ length: 5 }, (_, index) => newSession(ann, { issuedAt: 5_000 - index }))
    const other = newSession(bob)
    for (const session of [...sessions, other]) await store.createSession(session)
    const kept = sessions[2] as Session

    t.strictSame(await store.listSessionsOf(ann.id), [...sessions].reverse(), 'oldest first')
    t.equal(await store.deleteSessionsOf(ann.id, kept.tokenHash), 4)
    t.strictSame(await store.listSessionsOf(ann.id), [kept])
    t.ok(await store.findSession(kept.tokenHash))
    t.equal(await store.deleteSessionsOf(ann.id), 1)
    t.equal(await store.deleteSessionsOf(ann.id), 0)
    t.equal(await store.findSession(kept.tokenHash), undefined)
    for (const { id } of sessions) t.equal(await store.findSessionById(id), undefined)
    t.ok(await store.findSession(other.tokenHash), 'others are not touched')
    await store.deleteIdentity(bob.id)
    t.equal(await store.findSessionById(other.id), undefined, 'nor do they outlive their identity')
  })
}
