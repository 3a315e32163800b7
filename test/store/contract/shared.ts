/** What every store must do with texts that processes share, and with leases. */
import { hour, type Contract } from './place.js'

/** Texts by name, and leases that one holder has at a time. */
export function sharedContract(contract: Contract): void {
  contract('a shared text is found under its name until its end, or until another takes its place', async (t, store, place) => {
    t.equal(await store.findShared('a name: with *anything*'), undefined)
    await store.saveShared('a name: with *anything*', 'first')
    await store.saveShared('a name: with *anything*', 'second')
    await store.saveShared('brief', 'gone soon', Date.now() + hour)
    t.equal(await store.findShared('brief'), 'gone soon')
    place.advanceClock(hour + 1)
    t.equal(await store.findShared('brief'), undefined)
    t.equal(await store.findShared('a name: with *anything*'), 'second')
    await store.close()
    t.equal(await (await place.open()).findShared('a name: with *anything*'), 'second')
  })

  contract('of fifty who want a lease at the same time one gets it, until it gives it back', async (t, store) => {
    const holders = Array.from({ length: 50 }, (_, index) => `holder-${index}`)
    const got = await Promise.all(holders.map(holder => store.takeLease('lease', holder, hour)))
    t.equal(got.filter(Boolean).length, 1)
    const winner = holders[got.indexOf(true)] as string
    t.equal(await store.takeLease('lease', winner, hour), true, 'its holder may prolong it')
    t.equal(await store.takeLease('another', 'somebody', hour), true)
    await store.releaseLease('lease', 'somebody')
    t.equal(await store.takeLease('lease', 'somebody', hour), false, 'nobody gives back what another holds')
    await store.releaseLease('lease', winner)
    t.equal(await store.takeLease('lease', 'somebody', hour), true)
  })

  contract('a lease ends by itself', async (t, store, place) => {
    t.equal(await store.takeLease('lease', 'first', 50), true)
    t.equal(await store.takeLease('lease', 'second', 50), false)
    place.advanceClock(60)
    await new Promise(resolve => setTimeout(resolve, 60)) // Redis has a clock of its own
    t.equal(await store.takeLease('lease', 'second', 50), true)
  })
}
