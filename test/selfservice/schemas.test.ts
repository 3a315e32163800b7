import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

import { freePort, caseSchema, startTestGateway } from '../helpers/gateway.js'
import { temporaryDirectory } from '../helpers/store.js'
import { newVisitor } from '../helpers/visitor.js'

const customer = '{ "$schema": "http://json-schema.org/draft-07/schema#",\n  "type": "object",\n'
  + '"properties": {\n\t"zip": {"type": "string"} } }\n'

t.test('SC1 SC2 SC6 schemas are served byte for byte on both listeners, unknown ids are 404', async t => {
  const folder = temporaryDirectory(t)
  await writeFile(join(folder, 'customer.json'), customer)
  const gateway = await startTestGateway(t, {
    config: {
      identity: {
        traits: {
          schemas: [
            { id: 'customer', url: `file://${join(folder, 'customer.json')}` },
            { id: 'a b&c', url: `base64://${Buffer.from(customer).toString('base64')}` },
          ],
        },
      },
    },
  })

  for (const url of [gateway.publicUrl, gateway.adminUrl]) {
    const page = await newVisitor().fetch(`${url}/schemas/default`)
    t.equal(page.status, 200)
    t.equal(page.headers['content-type'], 'application/json; charset=utf-8')
    t.equal(page.text, JSON.stringify(caseSchema))
    t.equal((await newVisitor().fetch(`${url}/schemas/customer`)).text, customer)
    t.equal((await newVisitor().fetch(`${url}/schemas/a%20b&c`)).text, customer)

    for (const id of ['nobody', 'Default', '__proto__', 'constructor', 'customer.json', '%7e', 'default%20']) {
      const unknown = await newVisitor().fetch(`${url}/schemas/${id}`)
      t.equal(unknown.status, 404, id)
      t.match(unknown.json(), { error: { code: 404, status: 'Not Found', message: 'Unable to locate the resource' } })
    }
  }
})

t.test('SC3 SC4 SC5 RP7 a schema that can not be read stops the start', async t => {
  const folder = temporaryDirectory(t)
  await mkdir(join(folder, 'directory'))
  const urls: [url: string, why: RegExp][] = [
    [`file://${join(folder, 'missing.json')}`, /missing\.json/],
    [`file://${join(folder, 'directory')}`, /directory/],
    [`http://127.0.0.1:${await freePort()}/schema.json`, /127\.0\.0\.1/],
    ['gopher://example.org', /file:\/\//],
    ['base64://bm8ganNvbg==', /./],
  ]
  for (const [url, why] of urls) {
    await t.rejects(startTestGateway(t, { config: { identity: { traits: { default_schema_url: url } } } }), { message: why }, url)
    await t.rejects(
      startTestGateway(t, { config: { identity: { traits: { schemas: [{ id: 'other', url }] } } } }), { message: why },
      `other: ${url}`,
    )
  }
})

t.test('J5 a schema that refers elsewhere stops the start, and nobody is asked', async t => {
  for (const $ref of ['http://169.254.169.254/latest', 'file:///etc/passwd', '../../x']) {
    await t.rejects(startTestGateway(t, { schema: { type: 'object', properties: { a: { $ref } } } }), { message: /\$ref/ }, $ref)
  }
})
