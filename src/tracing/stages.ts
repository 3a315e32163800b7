/** The stages of a request inside the process: the handlers of its rule, password hashes, what is asked of the store. */
import type { AccessRule } from '../access/pipeline.js'
import type { RuleSet } from '../access/rules.js'
import type { Hasher } from '../identity/password-hash.js'
import type { Store } from '../store/store.js'
import type { Spans } from './spans.js'

/** A set in force is wrapped once, and each rule of it when it is first met. */
export function tracedRules(current: () => RuleSet, spans: Spans): () => RuleSet {
  const sets = new WeakMap<RuleSet, RuleSet>()
  const rules = new WeakMap<AccessRule, AccessRule>()

  function traced(rule: AccessRule): AccessRule {
    const known = rules.get(rule)
    if (known !== undefined) return known
    const made = tracedRule(rule, spans)
    rules.set(rule, made)
    return made
  }

  return () => {
    const set = current()
    const known = sets.get(set)
    if (known !== undefined) return known
    const made: RuleSet = {
      ...set,
      match(request) {
        const matched = set.match(request)
        return { ...matched, rule: traced(matched.rule) }
      },
    }
    sets.set(set, made)
    return made
  }
}

function tracedRule(rule: AccessRule, { stage }: Spans): AccessRule {
  return {
    ...rule,
    authenticators: rule.authenticators.map(entry => ({
      ...entry,
      authenticate: session => stage(`authenticate ${entry.name}`, {}, async span => {
        const found = await entry.authenticate(session)
        span?.setAttribute('oathgate.responsible', found !== undefined)
        return found
      }),
    })),
    authorizers: rule.authorizers.map(entry => ({
      ...entry, authorize: session => stage(`authorize ${entry.name}`, {}, () => entry.authorize(session)),
    })),
    mutators: rule.mutators.map(entry => ({
      ...entry, mutate: session => stage(`mutate ${entry.name}`, {}, () => entry.mutate(session)),
    })),
  }
}

/** Waiting for a turn is part of it. */
export function tracedHasher(hasher: Hasher, { stage }: Spans): Hasher {
  return {
    ...hasher,
    hash: password => stage('hash password', {}, () => hasher.hash(password)),
    verify: (phc, password) => stage('verify password', {}, () => hasher.verify(phc, password)),
  }
}

/** One span for each operation, which tells nothing but its name. */
export function tracedStore(store: Store, { stage }: Spans): Store {
  const traced = Object.entries(store).flatMap(([name, operation]) => {
    if (typeof operation !== 'function' || name === 'close') return []
    const run = operation as (...args: unknown[]) => Promise<unknown>
    return [[name, (...args: unknown[]) => stage(`store ${name}`, {}, () => run(...args))]]
  })
  return { ...store, ...Object.fromEntries(traced) as Partial<Store> }
}
