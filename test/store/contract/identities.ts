/** What every store must do with identities and their claims. */
import type { IdentifierClaim, Identity, JsonObject } from '../../../src/store/records.js'
import { claimsIn, newIdentity, newSession } from '../../helpers/records.js'
import type { Contract } from './place.js'

/** Identities: no two share an identifier, whatever happens at the same time. */
export function identityContract(contract: Contract): void {
  contract('an identity is found by its id and by each of its identifiers', async (t, store) => {
    const identity = newIdentity({ password: ['ann@example.org', 'ann'], oidc: ['google:1234'] })
    t.equal(await store.createIdentity(identity), undefined)
    t.strictSame(await store.findIdentity(identity.id), identity)
    for (const claim of claimsIn(identity)) t.strictSame(await store.findIdentityByIdentifier(claim), identity)
  })

  contract('an identifier belongs to its method and to its exact spelling', async (t, store) => {
    await store.createIdentity(newIdentity({ password: ['ann@example.org'] }))
    t.equal(await store.findIdentityByIdentifier({ method: 'oidc', identifier: 'ann@example.org' }), undefined)
    t.equal(await store.findIdentityByIdentifier(login('Ann@example.org')), undefined)
    t.equal(await store.createIdentity(newIdentity({ oidc: ['ann@example.org'] })), undefined)
  })

  contract('an identifier that is held is answered, and nothing of the loser is left', async (t, store) => {
    const holder = newIdentity({ password: ['held'] })
    const loser = newIdentity({ password: ['free', 'held'] })
    await store.createIdentity(holder)
    t.strictSame(await store.createIdentity(loser), login('held'))
    t.equal(await store.findIdentity(loser.id), undefined)
    t.equal(await store.findIdentityByIdentifier(login('free')), undefined)
    t.strictSame(await store.listIdentities({ limit: 10, offset: 0 }), [holder])
    t.equal(await store.createIdentity(newIdentity({ password: ['free'] })), undefined, 'the other identifier is free')
  })

  contract('of several identifiers that are held the first of the identity\'s own order is answered', async (t, store) => {
    await store.createIdentity(newIdentity({ password: ['b', 'a', 'c'] }))
    for (const [order, first] of [[['x', 'a', 'b'], 'a'], [['c', 'b', 'a'], 'c'], [['b', 'x', 'c'], 'b']] as const) {
      t.strictSame(await store.createIdentity(newIdentity({ password: order })), login(first))
    }
  })

  contract('an id that exists already is refused, and its identity stays as it is', async (t, store) => {
    const identity = newIdentity({ password: ['first'] })
    await store.createIdentity(identity)
    await t.rejects(store.createIdentity(withLogins(identity, 1, 'second')), { code: 'conflict' })
    t.strictSame(await store.findIdentity(identity.id), identity)
    t.equal(await store.findIdentityByIdentifier(login('second')), undefined)
    t.equal(await store.createIdentity(newIdentity({ password: ['second'] })), undefined)
  })

  contract('A9 of fifty creations with one identifier at the same time one wins, in every round', async (t, store) => {
    for (let round = 0; round < 10; round++) {
      const claim = login(`round-${round}`)
      const rivals = Array.from({ length: 50 }, () => newIdentity({ password: [claim.identifier] }))
      const outcomes = await Promise.all(rivals.map(store.createIdentity))
      const winners = rivals.filter((_, index) => outcomes[index] === undefined)
      t.equal(winners.length, 1)
      t.strictSame(outcomes.filter(outcome => outcome !== undefined), Array(49).fill(claim))
      t.strictSame(await store.findIdentityByIdentifier(claim), winners[0])
      const found = await Promise.all(rivals.map(({ id }) => store.findIdentity(id)))
      t.equal(found.filter(identity => identity !== undefined).length, 1, 'no half identity')
    }
  })

  contract('A9 overlapping sets of identifiers neither block each other for good nor end up half claimed', async (t, store) => {
    const names = ['u', 'v', 'w', 'x', 'y', 'z']
    const rivals = Array.from({ length: 40 }, (_, index) =>
      newIdentity({ password: [0, 1, 2].map(step => names[(index * 5 + step * (1 + index % 5)) % names.length] as string) }))
    const outcomes = await Promise.all(rivals.map(store.createIdentity))

    const owners = new Map<string, string>()
    for (const identity of rivals.filter((_, index) => outcomes[index] === undefined)) {
      for (const identifier of new Set(claimsIn(identity).map(claim => claim.identifier))) {
        t.notOk(owners.has(identifier), `${identifier} has one owner`)
        owners.set(identifier, identity.id)
      }
    }
    t.ok(owners.size >= 1, 'somebody won')
    for (const name of names) t.equal((await store.findIdentityByIdentifier(login(name)))?.id, owners.get(name))
    for (const outcome of outcomes) {
      if (outcome !== undefined) t.ok(owners.has(outcome.identifier), `${outcome.identifier}, which a loser was told of, is held`)
    }
  })

  contract('an update replaces the identity and moves its identifiers', async (t, store) => {
    const before = newIdentity({ password: ['old', 'kept'], oidc: ['google:1'] })
    await store.createIdentity(before)
    const after: Identity = { ...withLogins(before, 2, 'kept', 'new'), traits: { email: 'new' } }
    t.equal(await store.updateIdentity(after), undefined)
    t.strictSame(await store.findIdentity(before.id), after)
    for (const claim of claimsIn(after)) t.strictSame(await store.findIdentityByIdentifier(claim), after)
    t.equal(await store.findIdentityByIdentifier(login('old')), undefined)
    t.equal(await store.findIdentityByIdentifier({ method: 'oidc', identifier: 'google:1' }), undefined)
    t.equal(await store.createIdentity(newIdentity({ password: ['old'], oidc: ['google:1'] })), undefined, 'what it gave up is free')
    t.strictSame(await store.createIdentity(newIdentity({ password: ['new'] })), login('new'), 'what it took is not')
    t.strictSame(await store.listIdentities({ limit: 1, offset: 0 }), [after], 'and it is listed as it is now')
  })

  contract('an update may take back an identifier that an earlier one gave up', async (t, store) => {
    const identity = newIdentity({ password: ['a', 'b'] })
    await store.createIdentity(identity)
    t.equal(await store.updateIdentity(withLogins(identity, 2, 'a')), undefined)
    t.equal(await store.updateIdentity(withLogins(identity, 3, 'a', 'b')), undefined)
    t.equal((await store.findIdentityByIdentifier(login('b')))?.version, 3)
  })

  contract('an update that did not see the last version is stale, and so is one of an identity that is gone', async (t, store) => {
    const identity = newIdentity({ password: ['ann'] })
    await store.createIdentity(identity)
    t.equal(await store.updateIdentity({ ...identity, version: 2 }), undefined)
    t.equal(await store.updateIdentity(withLogins(identity, 2, 'other')), 'stale')
    t.equal(await store.updateIdentity({ ...identity, version: 4 }), 'stale')
    t.equal(await store.findIdentityByIdentifier(login('other')), undefined)
    await store.deleteIdentity(identity.id)
    t.equal(await store.updateIdentity({ ...identity, version: 3 }), 'stale')
    t.equal(await store.findIdentity(identity.id), undefined)
  })

  contract('an update that wants what another holds changes nothing', async (t, store) => {
    const [ann, bob] = [newIdentity({ password: ['ann'] }), newIdentity({ password: ['bob'] })]
    await store.createIdentity(ann)
    await store.createIdentity(bob)
    t.strictSame(await store.updateIdentity(withLogins(bob, 2, 'robert', 'ann')), login('ann'))
    t.strictSame(await store.findIdentity(bob.id), bob)
    t.strictSame(await store.findIdentityByIdentifier(login('ann')), ann)
    t.equal(await store.createIdentity(newIdentity({ password: ['robert'] })), undefined)
  })

  contract('of concurrent updates of one version one is done, and exactly its identifiers are held', async (t, store) => {
    const identity = newIdentity({ password: ['start'] })
    await store.createIdentity(identity)
    for (let version = 2; version < 7; version++) {
      const rivals = Array.from({ length: 10 }, (_, index) => withLogins(identity, version, `v${version}-${index}`))
      const outcomes = await Promise.all(rivals.map(store.updateIdentity))
      const winner = rivals[outcomes.indexOf(undefined)]
      t.equal(outcomes.filter(outcome => outcome === 'stale').length, 9)
      t.strictSame(await store.findIdentity(identity.id), winner)
      for (const [index, rival] of rivals.entries()) {
        t.strictSame(await store.findIdentityByIdentifier(login(`v${version}-${index}`)), rival === winner ? winner : undefined)
      }
    }
  })

  contract('A9 an update and creations that want one identifier: one gets it', async (t, store) => {
    for (let round = 0; round < 10; round++) {
      const old = newIdentity({ password: [`old-${round}`] })
      await store.createIdentity(old)
      const prize = `prize-${round}`
      const moved = withLogins(old, 2, prize)
      const rivals = Array.from({ length: 9 }, () => newIdentity({ password: [prize] }))
      const outcomes = await Promise.all([store.updateIdentity(moved), ...rivals.map(store.createIdentity)])
      t.equal(outcomes.filter(outcome => outcome === undefined).length, 1)
      t.strictSame(await store.findIdentityByIdentifier(login(prize)), [moved, ...rivals][outcomes.indexOf(undefined)])
    }
  })

  contract('a deleted identity is gone with its identifiers and all its sessions', async (t, store) => {
    const [ann, bob] = [newIdentity({ password: ['ann'], oidc: ['google:1'] }), newIdentity({ password: ['bob'] })]
    const sessions = [newSession(ann), newSession(ann), newSession(bob)]
    for (const identity of [ann, bob]) await store.createIdentity(identity)
    for (const session of sessions) await store.createSession(session)

    t.equal(await store.deleteIdentity(ann.id), true)
    t.equal(await store.deleteIdentity(ann.id), false)
    t.equal(await store.findIdentity(ann.id), undefined)
    for (const claim of claimsIn(ann)) t.equal(await store.findIdentityByIdentifier(claim), undefined)
    t.strictSame(await store.listIdentities({ limit: 10, offset: 0 }), [bob])
    t.strictSame(await store.listSessionsOf(ann.id), [])
    t.strictSame(await Promise.all(sessions.map(async ({ tokenHash }) => (await store.findSession(tokenHash))?.identity.id)), [undefined, undefined, bob.id])
    t.equal(await store.createIdentity(newIdentity({ password: ['ann'], oidc: ['google:1'] })), undefined, 'the identifiers are free')
  })

  contract('of concurrent deletions of one identity one did it', async (t, store) => {
    const identity = newIdentity({ password: ['ann'] })
    await store.createIdentity(identity)
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => store.deleteIdentity(identity.id)))
    t.equal(outcomes.filter(Boolean).length, 1)
  })

  contract('identities are listed by creation, oldest first, page by page', async (t, store) => {
    const identities = Array.from({ length: 25 }, (_, index) => newIdentity({ password: [`p${index}`], createdAt: 1_000_000 + index }))
    await Promise.all([...identities].reverse().map(store.createIdentity))
    t.strictSame(await store.listIdentities({ limit: 10, offset: 0 }), identities.slice(0, 10))
    t.strictSame(await store.listIdentities({ limit: 10, offset: 10 }), identities.slice(10, 20))
    t.strictSame(await store.listIdentities({ limit: 10, offset: 20 }), identities.slice(20))
    t.strictSame(await store.listIdentities({ limit: 10, offset: 30 }), [])
    t.strictSame(await store.listIdentities({ limit: 0, offset: 0 }), [])
    await store.deleteIdentity(identities[3]?.id ?? '')
    t.strictSame(await store.listIdentities({ limit: 3, offset: 2 }), [identities[2], identities[4], identities[5]])
  })

  contract('identities are counted by when they were created, as long as they are there', async (t, store) => {
    const identities = [10, 20, 20, 29, 30, 1_000_000].map((createdAt, index) => newIdentity({ password: [`p${index}`], createdAt }))
    for (const identity of identities) await store.createIdentity(identity)
    t.strictSame(await store.countIdentities([10, 20, 30, 31, 1_000_000]), [1, 3, 1, 0])
    t.strictSame(await store.countIdentities([0, 10]), [0])
    t.strictSame(await store.countIdentities([0]), [])

    await store.createIdentity(newIdentity({ password: ['p0'], createdAt: 25 }))
    await store.deleteIdentity(identities[1]?.id ?? '')
    t.strictSame(await store.countIdentities([20, 30, 2_000_000]), [2, 2], 'neither whom a login name was refused nor who is gone')
  })

  contract('J7 whatever a person typed is kept as it is and reaches no other record', async (t, store) => {
    const nasty = [
      '*', 'x}:{y', '{a}', '\r\nSET x y\r\n', 'a\0b', '__proto__', 'constructor', ' ', 'é', 'e\u0301', '\u{1f600}'.repeat(600),
      'a'.repeat(100_000), '?', '=', ':', '?id:nonce', 'a:b', '../../etc/passwd', '',
    ]
    const identities = nasty.map(text => newIdentity({ password: [text], oidc: [text], traits: { text } }))
    for (const identity of identities) t.equal(await store.createIdentity(identity), undefined)
    for (const identity of identities) {
      for (const claim of claimsIn(identity)) t.strictSame(await store.findIdentityByIdentifier(claim), identity)
    }
    t.equal((await store.listIdentities({ limit: 100, offset: 0 })).length, nasty.length)
    for (const text of nasty) {
      t.equal(await store.findIdentity(text), undefined)
      t.equal(await store.findFlow(text), undefined)
      t.equal(await store.consumeFlow(text), false)
      t.equal(await store.findSession(text), undefined)
      t.equal(await store.deleteSession(text), false)
      t.equal(await store.findError(text), undefined)
      t.strictSame(await store.listSessionsOf(text), [])
      t.equal(await store.deleteIdentity(text), false)
    }
  })

  contract('traits come back as they went in, `__proto__` and all, and pollute nothing', async (t, store) => {
    const traits = JSON.parse(`{
      "__proto__": { "polluted": true }, "constructor": { "prototype": { "polluted": true } }, "toString": 1,
      "n": 1e308, "s": "\\u0000\\ud800", "d": [[[]], { "": null }]
    }`) as JsonObject
    const identity = newIdentity({ password: ['ann'], traits })
    await store.createIdentity(identity)
    const found = await store.findIdentity(identity.id)
    t.equal(JSON.stringify(found), JSON.stringify(identity))
    t.ok(Object.hasOwn(found?.traits ?? {}, '__proto__'))
    t.equal(({} as { polluted?: boolean }).polluted, undefined)
  })
}

function login(identifier: string): IdentifierClaim {
  return { method: 'password', identifier }
}

function withLogins(identity: Identity, version: number, ...identifiers: string[]): Identity {
  return { ...identity, credentials: { password: { identifiers } }, version }
}
