/** Handlers as rules make them: `config` validated, defaults filled in, created with the services that they may use. */
import type { Test } from 'tap'

import type { Handler, Services } from '../../src/access/pipeline.js'
import { createRemoteAccess } from '../../src/access/remote-access.js'
import { schemaMistakes } from '../../src/access/schema-mistakes.js'
import { services } from '../access/requests.js'

/** Throws the first mistake of the configuration. */
export function makeHandler<Made>(handler: Handler<Made>, config: object, given: Services): Made {
  const filled: object = structuredClone(config)
  const [mistake] = schemaMistakes(handler.config, filled)
  if (mistake !== undefined) throw new Error(mistake.message)
  return handler.create(filled as never, given)
}

/** Services with a client of their own, closed when the test ends. */
export function remoteServices(t: Test, over: Partial<Services> = {}): Services {
  const { close, ...remote } = createRemoteAccess(process.cwd())
  t.teardown(close)
  return { ...services(), ...remote, ...over }
}
