/** The authenticator `unauthorized`: accepts nobody. */
import { GatewayError } from '../../errors.js'
import type { Authenticate, Handler } from '../pipeline.js'

/** Always responsible, always 401. Takes no configuration and ignores what is given (contract 2.0). */
export const unauthorized: Handler<Authenticate> = {
  name: 'unauthorized',
  config: { type: 'object' },
  create: () => () => {
    throw new GatewayError('unauthorized')
  },
}
