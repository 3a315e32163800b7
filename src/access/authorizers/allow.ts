/** The authorizer `allow`: whoever was found may pass. */
import type { Authorizer, Handler } from '../pipeline.js'

/** Takes no configuration and ignores what is given (contract 2.0). */
export const allow: Handler<Authorizer> = {
  name: 'allow',
  config: { type: 'object' },
  create: () => ({ sets: [], authorize: session => session }),
}
