/** The authenticator `noop`: lets everybody on as nobody, whatever they sent. */
import type { Authenticate, Handler } from '../pipeline.js'

/** Always responsible. The subject is empty. Takes no configuration and ignores what is given (contract 2.0). */
export const noop: Handler<Authenticate> = {
  name: 'noop',
  config: { type: 'object' },
  create: () => session => session,
}
