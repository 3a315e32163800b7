/** The authorizer `deny`: nobody may pass. */
import { GatewayError } from '../../errors.js'
import type { Authorizer, Handler } from '../pipeline.js'

/** Takes no configuration and ignores what is given (contract 2.0). */
export const deny: Handler<Authorizer> = {
  name: 'deny',
  config: { type: 'object' },
  create: () => ({
    sets: [],
    authorize() {
      throw new GatewayError('forbidden')
    },
  }),
}
