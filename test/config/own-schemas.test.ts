/** The schemas that are the gateway's own are schemas: no start asks that again. */
import { Ajv } from 'ajv'
import t from 'tap'

import { authenticators, authorizers, errorHandlers, mutators } from '../../src/access/handlers.js'
import { ruleSchema } from '../../src/access/rule-schema.js'
import { configSchema } from '../../src/config/schema.js'
import { jobs } from '../../src/selfservice/jobs/compile.js'

t.test('every schema of our own is as JSON Schema draft-07 says', async t => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true })
  const handlers = [...authenticators, ...authorizers, ...mutators, ...errorHandlers, ...jobs]
  const schemas = [['configuration', configSchema], ['rule', ruleSchema], ...handlers.map(({ name, config }) => [name, config] as const)] as const
  for (const [name, schema] of schemas) {
    t.ok(ajv.validateSchema(schema), `${name}: ${ajv.errorsText(ajv.errors)}`)
  }
  t.notOk(ajv.validateSchema({ type: 'number', minimum: 'none' }), 'and what is none is told')
})
