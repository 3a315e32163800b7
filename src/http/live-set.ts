/**
 * A set of what comes and goes all the time, such as connections. V8's Set and Map make a new table whenever many have gone, and the
 * old one keeps what was in it alive until the next full collection, since each table holds on to the one after it: with a new
 * connection for every request that were all of them, and each small collection copied them for 20 ms.
 */

export interface LiveSet<Item extends object> extends Iterable<Item> {
  readonly size: number
  add(item: Item): void
  /** What is not in it is no matter. */
  delete(item: Item): void
  has(item: Item): boolean
}

/** An empty set. Going through it shows what was in it at the beginning, in no particular order. */
export function createLiveSet<Item extends object>(): LiveSet<Item> {
  const items: Item[] = []
  const places = new WeakMap<Item, number>()

  return {
    get size() { return items.length },
    add(item) {
      if (places.has(item)) return
      places.set(item, items.length)
      items.push(item)
    },
    delete(item) {
      const place = places.get(item)
      if (place === undefined) return
      places.delete(item)
      const last = items.pop() as Item
      if (last === item) return
      items[place] = last
      places.set(last, place)
    },
    has: item => places.has(item),
    [Symbol.iterator]: () => [...items].values(),
  }
}
