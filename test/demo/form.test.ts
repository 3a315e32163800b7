/** The sample app's form: every kind of field that a flow document can have, as HTML. */
import t from 'tap'

import { forms, type Field, type FlowDocument } from '../../demo/app/assets/form.mjs'
import { toString } from '../../demo/app/assets/html.mjs'

const action = 'http://127.0.0.1:4455/.ory/kratos/public/auth/browser/methods/password/registration?request=1&x=2'

t.test('a field becomes an input', async t => {
  const cases: readonly (readonly [name: string, field: Field, ...html: string[]])[] = [
    ['hidden', { name: 'csrf_token', type: 'hidden', value: 'a+/=' }, '<input type="hidden" name="csrf_token" value="a+/=">'],
    ['e-mail, value kept', { name: 'traits.email', type: 'email', value: 'ada@example.org' }, '<input type="email"', 'value="ada@example.org"', '>E-mail <span class="optional">optional</span></label>'],
    ['a new password, value never shown', { name: 'password', type: 'password', value: 'leaked' }, 'type="password" autocomplete="new-password"'],
    ['number', { name: 'traits.age', type: 'number', value: 36, required: true }, 'type="number" step="any"', 'value="36"', ' required', '>Age</label>'],
    ['a ticked box, with "false" before it', { name: 'traits.newsletter', type: 'checkbox', value: true },
      '<input type="hidden" name="traits.newsletter" value="false"> <label class="checkbox" for="password-traits.newsletter"> <input type="checkbox" value="true" checked '],
    ['an unknown type is text', { name: 'traits.nick', type: 'image' }, '<input type="text"'],
    ['a field with nothing but an error', { name: 'traits.first_name', errors: [{ message: 'traits.first_name: first_name is required' }] },
      'aria-invalid="true" aria-describedby="password-traits.first_name-messages"', '<p>Please fill this in.</p>', '>First name <span'],
    ['a title wins', { name: 'traits.x', title: 'Shoe size' }, '>Shoe size <span'],
    ['C11 a hostile value', { name: 'traits.nick', type: 'text', value: '"><img src=x>' }, 'value="&#34;&#62;&#60;img src=x&#62;"'],
    ['C11 a hostile name', { name: 'traits."><b>', type: 'text' }, 'name="traits.&#34;&#62;&#60;b&#62;"'],
  ]
  for (const [name, field, ...expected] of cases) {
    const html = rendered({ fields: [field] })
    for (const part of expected) t.ok(html.includes(part), `${name}: ${part}`)
    t.notMatch(html, /<img|<b>|leaked/, name)
  }
})

t.test('messages of the form, and of hidden fields, are read out before it', async t => {
  const html = rendered({
    fields: [{ name: 'csrf_token', type: 'hidden', errors: [{ message: 'expired' }] }],
    errors: [{ message: 'An account exists already.' }],
  })
  t.ok(html.includes('<div role="alert" class="alert"><p>An account exists already.</p><p>Expired</p></div>'), html)
})

t.test('providers are buttons of a form of their own', async t => {
  const html = rendered({ fields: [] }, [{ name: 'provider', type: 'submit', value: 'github' }])
  t.match(html, /<button type="submit" class="secondary" name="provider" value="github"> Sign up with Github <\/button>/)
  t.equal(html.match(/<form /g)?.length, 2)
  t.ok(html.includes('action="http://127.0.0.1:4455/.ory/kratos/public/auth/browser/methods/password/registration?request=1&#38;x=2"'))
})

t.test('a JSON document can not pass markup off as its own', async t => {
  const value = JSON.parse('{ "markup": "<b>", "Symbol(markup)": "<b>" }') as string
  t.notMatch(rendered({ fields: [{ name: 'traits.x', type: 'text', value }] }), /<b>/)
})

function rendered(password: { fields: Field[], errors?: { message: string }[] }, providers: Field[] = []): string {
  const flow: FlowDocument = {
    id: '1', request_url: action, expires_at: '',
    methods: {
      password: { config: { action, method: 'POST', ...password } },
      oidc: { config: { action, method: 'POST', fields: [], providers } },
    },
  }
  return toString(forms(flow, 'registration')).replace(/\s+/g, ' ')
}
