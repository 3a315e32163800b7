/** The mutator `noop`: the request goes on as it is. */
import type { Handler, Mutator } from '../pipeline.js'

/**
 * Header fields that the client sent pass anyway, repeated ones too; unlike Oathkeeper's it does not copy them into the
 * session, so the decision API never echoes them (contract 11). Takes no configuration and ignores what is given.
 */
export const noop: Handler<Mutator> = {
  name: 'noop',
  config: { type: 'object' },
  create: () => ({ sets: [], mutate: session => session }),
}
