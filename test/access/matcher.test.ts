/** `match.url`: what each strategy matches and captures, and which patterns are refused at load. */
import t from 'tap'

import { compileMatcher, type Strategy } from '../../src/access/matcher.js'
import { PatternError } from '../../src/access/pattern/syntax-tree.js'

/** The captured texts, or `undefined` when the pattern does not match. */
function match(pattern: string, url: string, strategy: Strategy = 'regexp'): readonly string[] | undefined {
  const matcher = compileMatcher(pattern, strategy)
  return matcher.test(url) ? matcher.captures(url) : undefined
}

function refusal(pattern: string, strategy: Strategy = 'regexp'): PatternError {
  try {
    compileMatcher(pattern, strategy)
  } catch (error) {
    if (error instanceof PatternError) return error
    throw error
  }
  throw new Error(`${pattern} was accepted`)
}

t.test('R-1 R-2 RX-1 to RX-4 regexp: what matches and what it captures (contract 1.4, 7.2, 7.5)', async t => {
  const rows: [pattern: string, url: string, captures: string[] | undefined][] = [
    ['http://h/<.*>', 'http://h/', ['']],
    ['http://h/<.*>', 'http://h', undefined],
    ['http://h/admin/<.*>', 'http://h/admin', undefined],
    ['http://h/admin<.*>', 'http://h/administrator', ['istrator']],
    ['http://h/admin<(/.*)?>', 'http://h/admin', ['', '']],
    ['http://h/admin<(/.*)?>', 'http://h/admin/x', ['/x', '/x']],
    ['http://h/admin<(/.*)?>', 'http://h/adminx', undefined],
    ['http://h/<.*>', 'http://h/a\nb', undefined],
    ['http://h/foo', 'http://h/foo', []],
    ['http://h/foo', 'http://h/foo\n', undefined],
    ['http://h/<foo>', 'http://h/foo\n', undefined],
    ['http://h/<(foo|[a-z]+o)>', 'http://h/foo\n', undefined],
    ['http://h/<(?!admin).*>', 'http://h/manager', ['manager']],
    ['http://h/<(?!admin).*>', 'http://h/admin', undefined],
    ['http://h/<(?!admin).*>', 'http://h/adminx', undefined],
    ['http://h/<(?!(admin|x)(/|$)).*>', 'http://h/adminx', ['adminx', '', '']],
    ['http://h/<(?!(admin|x)(/|$)).*>', 'http://h/admin', undefined],
    ['http://h/<(?!(admin|x)(/|$)).*>', 'http://h/x/y', undefined],
    ['http://h/<(?!(?:admin|x)(?:/|$)).*>', 'http://h/xy', ['xy']],
    ['<http|https>://h/<.*>', 'http://h/user', ['http', 'user']],
    ['<http|https>://h/<.*>', 'https://h/user', ['https', 'user']],
    ['<(http|https)>://h/<.*>', 'https://h/x', ['https', 'https', 'x']],
    ['<https?>://h/x', 'ftp://h/x', undefined],
    ['http://h/<(?i)foo>', 'http://h/FOO', ['FOO']],
    ['http://h/<(?i:f)oo>', 'http://h/Foo', ['Foo']],
    ['http://h/<(?i:f)oo>', 'http://h/FOO', undefined],
    ['http://h/<(?<id>[^/]+)>', 'http://h/7', ['7', '7']],
    ['http://h/<(?P<id>[^/]+)>', 'http://h/7', ['7', '7']],
    ['http://h/<(?<a>x)>/<y>', 'http://h/x/y', ['x', 'y', 'x']],
    ['http://h/<(?:a|b)>', 'http://h/b', ['b']],
    ['http://h/<(a)|(b)>', 'http://h/b', ['b', '', 'b']],
    ['http://h/<a|b>/<$>', 'http://h/a/', ['a', '']],
    ['http://h/<^a$>', 'http://h/a', undefined],
    ['http://h/<>', 'http://h/', ['']],
    ['http://h/a.b', 'http://h/a.b', []],
    ['http://h/a.b', 'http://h/axb', undefined],
    ['http://h/users/([^/]+)', 'http://h/users/7', undefined],
    ['http://h/<[0-9]+>', 'http://h/12a', undefined],
    ['http://h/<\\d+>', 'http://h/12', ['12']],
    ['http://h/<\\w+>', 'http://h/a_1', ['a_1']],
    ['http://h/<[\\w.-]+>', 'http://h/a.b-c', ['a.b-c']],
    ['http://h/<[[:digit:]]+>', 'http://h/12', ['12']],
    ['http://h/<[^[:digit:]]+>', 'http://h/ab', ['ab']],
    ['http://h/<[^[:digit:]]+>', 'http://h/a1', undefined],
    ['http://h/<[]a]+>', 'http://h/]a', [']a']],
    ['http://h/<\\p{Lu}[[:alpha:]]{2,3}>', 'http://h/Abc', ['Abc']],
    ['http://h/<\\x41\\u0042\\x{43}>', 'http://h/ABC', ['ABC']],
    ['http://h/<a{2}b{1,2}c{0,}>', 'http://h/aabbcc', ['aabbcc']],
    ['http://h/<a{>', 'http://h/a%7B', ['a%7B']],
    ['http://h/<.+?>/<.+>', 'http://h/a/b/c', ['a', 'b/c']],
    ['http://h/<.+>/<.+>', 'http://h/a/b/c', ['a/b', 'c']],
    ['http://h/<((a)|b)+>', 'http://h/ab', ['ab', 'b', 'a']],
    ['https://localhost/users/<[0-9]+>', 'https://localhost/users/1234', ['1234']],
    ['https://localhost/users/<[0-9]+>', 'https://localhost/users/abcd', undefined],
    ['https://localhost/users/<[[:digit:]]*>', 'https://localhost/users/1234', ['1234']],
    ['https://localhost/users/<(?!admin).*>', 'https://localhost/users/manager', ['manager']],
    ['urn:foo:<.?>', 'urn:foo:user', undefined],
    ['urn:foo:<.*>', 'urn:foo:user', ['user']],
    ['urn:foo:<.*>:<.*>', 'urn:foo:user:one', ['user', 'one']],
    ['urn:foo:<foo|bar>', 'urn:foo:bar', ['bar']],
  ]
  for (const [pattern, url, captures] of rows) t.same(match(pattern, url), captures, `${pattern} on ${JSON.stringify(url)}`)
})

t.test('R-1 R-2 a lookahead is judged at its own place when the rest needs another engine', async t => {
  const rows: [pattern: string, url: string, captures: string[] | undefined][] = [
    ['http://h/<(?!admin).*>/edit', 'http://h/user/edit', ['user']],
    ['http://h/<(?!admin).*>/edit', 'http://h/admin/edit', undefined],
    ['http://h/<(?=[a-z]*/x).*>/edit/<.*>', 'http://h/abc/x/edit/1', ['abc/x', '1']],
    ['http://h/<(?=[a-z]*/x).*>/edit/<.*>', 'http://h/abc/y/edit/1', undefined],
    ['<http|https>://h/<(?!(admin)).*>.<css|js>', 'https://h/a.b.css', ['https', 'a.b', '', 'css']],
    ['<http|https>://h/<(?!(admin)).*>.<css|js>', 'https://h/admin.css', undefined],
    ['http://h/<(?!.*secret)(?!x).*>', 'http://h/a/secret', undefined],
    ['http://h/<(?!.*secret)(?!x).*>', 'http://h/x', undefined],
    ['http://h/<(?!.*secret)(?!x).*>', 'http://h/public', ['public']],
    ['https://<.*>.example.com/<(?!(login|signup)).*>', 'https://a.b.example.com/users', ['a.b', 'users', '']],
    ['https://<.*>.example.com/<(?!(login|signup)).*>', 'https://a.b.example.com/login', undefined],
    ['<https|http>://<.*>/<(?!api/.*|auth(/|$)).*>', 'http://h:8080/authors', ['http', 'h:8080', 'authors', '']],
    ['<https|http>://<[^/]+>/<(?!api/.*|auth(/|$)).*>', 'http://h:8080/api/x', undefined],
    ['<https|http>://<[^/]+>/<(?!api/.*|auth(/|$)).*>', 'http://h:8080/auth', undefined],
  ]
  for (const [pattern, url, captures] of rows) t.same(match(pattern, url), captures, `${pattern} on ${url}`)
})

t.test('literal text is brought into the form that request URLs have', async t => {
  const rows: [pattern: string, url: string, matches: boolean][] = [
    ['HTTP://Example.ORG:80/A', 'http://example.org/A', true],
    ['http://example.org./a', 'http://example.org/a', true],
    ['https://example.org:443/<.*>', 'https://example.org/x', true],
    ['https://example.org:80/<.*>', 'https://example.org:80/x', true],
    ['http://[::1]:4455/<.*>', 'http://[::1]:4455/x', true],
    ['http://[::1]/<.*>', 'http://[::1]/x', true],
    ['http://bücher.example/', 'http://xn--bcher-kva.example/', true],
    ['http://<[a-z]+>.Example.org:80/', 'http://a.example.org/', true],
    ['http://h/caf\u00e9/<.*>', 'http://h/caf%C3%A9/x', true],
    ['http://h/a b', 'http://h/a%20b', true],
    ['http://h/%61%2f%c3%a9', 'http://h/a%2F%C3%A9', true],
    ['http://h/<caf\u00e9+>', 'http://h/caf%C3%A9%C3%A9', true],
    ['http://h/<a%2fb>', 'http://h/a%2Fb', true],
    ['http://h', 'http://h/', true],
    ['http://<[a-z]+>', 'http://h/', true],
    ['http://h<.*>', 'http://h/a', true],
    ['http://h<(/.*)?>Foo', 'http://h/Foo', true],
    ['http://h/Admin', 'http://h/admin', false],
  ]
  for (const [pattern, url, matches] of rows) t.equal(match(pattern, url) !== undefined, matches, `${pattern} on ${url}`)
})

t.test('glob: gobwas with the separators . and / (contract 1.5, 7.4)', async t => {
  const rows: [pattern: string, url: string, matches: boolean][] = [
    ['urn:foo:<?>', 'urn:foo:user', false],
    ['urn:foo:<?>', 'urn:foo:u', true],
    ['urn:foo:<?>', 'urn:foo:', false],
    ['urn:foo:<?>&&<?>', 'urn:foo:w&&r', true],
    ['urn:foo:<?>?<?>', 'urn:foo:w&r', false],
    ['urn:foo:<?>?<?>', 'urn:foo:w?r', true],
    ['urn:foo:<*>', 'urn:foo:user', true],
    ['urn:foo:<*>', 'urn:foo:', true],
    ['urn:foo:<*>:<*>', 'urn:foo:usr:swen', true],
    ['*:foo:<*>:<*>', 'urn:foo:usr:swen', false],
    ['*:foo:<*>:<*>', '*:foo:usr:swen', true],
    ['urn:foo:<*>:role:<?>', 'urn:foo:usr:role:a', true],
    ['urn:foo:<*>:role:<?>', 'urn:foo:usr:role:admin', false],
    ['urn:foo:<m[a,o,u]n>', 'urn:foo:moon', false],
    ['urn:foo:<m[a,o,u]n>', 'urn:foo:man', true],
    ['urn:foo:<m[a,o,u]n>', 'urn:foo:m,n', true],
    ['urn:foo:<m[!a,o,u]n>', 'urn:foo:man', false],
    ['urn:foo:<m[!a,o,u]n>', 'urn:foo:min', true],
    ['http://example.com/<*>', 'http://example.com/foo/bar', false],
    ['http://example.com/<*>', 'http://example.com/a.b', false],
    ['http://example.com/<**>', 'http://example.com/foo/b.ar', true],
    ['http://example.com/<**>', 'http://example.com/foo\nbar', true],
    ['http://h/<[0-9]*>', 'http://h/1abc', true],
    ['http://h/<[0-9]*>', 'http://h/abc', false],
    ['http://h/<[0-9]*>', 'http://h/1', true],
    ['http://h/<[^a]>', 'http://h/a', true],
    ['http://h/<[^a]>', 'http://h/b', false],
    ['http://h/<{a,b{c,d},}>', 'http://h/bd', true],
    ['http://h/<{a,b{c,d},}>', 'http://h/', true],
    ['http://h/<{a,b{c,d},}>', 'http://h/b', false],
    ['http://h/<\\*>', 'http://h/*', true],
    ['http://h/<\\*>', 'http://h/a', false],
    ['http://h/<a|b>', 'http://h/a%7Cb', true],
    ['<http|https>://h/', 'http://h/', false],
    ['http://127.0.0.1:4455/.ory/kratos/public/<**>', 'http://127.0.0.1:4455/.ory/kratos/public/a/b', true],
    ['http://127.0.0.1:4455/<{registration,login,health/{alive,ready},**.css,**.woff*}>', 'http://127.0.0.1:4455/login', true],
    ['http://127.0.0.1:4455/<{registration,login,health/{alive,ready},**.css,**.woff*}>', 'http://127.0.0.1:4455/health/ready', true],
    ['http://127.0.0.1:4455/<{registration,login,health/{alive,ready},**.css,**.woff*}>', 'http://127.0.0.1:4455/a/b.min.css', true],
    ['http://127.0.0.1:4455/<{registration,login,health/{alive,ready},**.css,**.woff*}>', 'http://127.0.0.1:4455/x.woff2', true],
    ['http://127.0.0.1:4455/<{registration,login,health/{alive,ready},**.css,**.woff*}>', 'http://127.0.0.1:4455/dashboard', false],
  ]
  for (const [pattern, url, matches] of rows) t.equal(match(pattern, url, 'glob') !== undefined, matches, `${pattern} on ${url}`)
  t.same(match('http://h/<*>/<*>', 'http://h/a/b', 'glob'), [], 'nothing is captured')
})

t.test('G-D delimiters that do not balance are refused under both strategies', async t => {
  for (const pattern of ['<', '>', '>>', '><>', 'foo.bar<var', 'foo.bar>var', 'foo.bar><var', 'foo.bar<<>var', 'http://h/<(?<!x)y>']) {
    for (const strategy of ['regexp', 'glob'] as const) t.match(refusal(pattern, strategy).message, /^Unbalanced braces/, pattern)
  }
  t.ok(match('foo.bar<<>>', 'foo.bar<>', 'glob') === undefined && match('foo.bar<\\<\\>>', 'foo.bar%3C%3E', 'glob'))
})

t.test('D6 what no linear matcher can do, and what is no pattern at all, is refused at load with its place', async t => {
  const rows: [pattern: string, message: RegExp, offset: number | undefined][] = [
    ['http://h/<(a)\\1>', /Backreferences/, 13],
    ['http://h/<(?<n>a)\\k<n>>', /Backreferences/, 17],
    ['http://h/<(?<=x>)y>', /Lookbehind/, 10],
    ['http://h/<(?>a+)b>', /Unbalanced/, 17],
    ['http://h/<(?(a)b)>', /linear time/, 10],
    ['http://h/<(.*)(?!x).*y>', /lookahead/i, undefined],
    ['http://h/<(?!a(?=b)).*x.*>', /lookahead/i, undefined],
    ['http://h/<*>', /glob/, 10],
    ['http://h/<**>', /glob/, 10],
    ['http://h/<a**>', /quantifier follows/, 12],
    ['http://h/<a{2,1}>', /greater/, 10],
    ['http://h/<a{1,5000}>', /1000/, 10],
    ['http://h/<(a>', /never closed/, 10],
    ['http://h/<a)>', /closes no/, 11],
    ['http://h/<[a>', /never closed/, 10],
    ['http://h/<[z-a]>', /no range/, 11],
    ['http://h/<[a-z-[aeiou]]>', /subtraction/, 14],
    ['http://h/<[\u00e9]>', /ASCII/, 11],
    ['http://h/<\\Q>', /not supported/, 10],
    ['http://h/<\\p{Nonsense}>', /property/, 10],
    ['http://h/<[[:nonsense:]]>', /no class/, 11],
    ['http://h/%zz', /hexadecimal/, 9],
    ['http://h/<((a{1,100}){1,100}){1,100}>', /compiled|large/, undefined],
    [`http://h/<${'('.repeat(60)}a${')'.repeat(60)}>`, /deep/, 61],
  ]
  for (const [pattern, message, offset] of rows) {
    const { message: said, offset: at } = refusal(pattern)
    t.match(said, message, pattern)
    t.equal(at, offset, `${pattern}: ${said}`)
  }
  for (const [pattern, message] of [['http://h/<[a>', /never closed/], ['http://h/<{a,b>', /never closed/], ['http://h/<[a-z0-9]>', /one range/], ['http://h/<[]>', /never closed/]] as const) {
    t.match(refusal(pattern, 'glob').message, message, pattern)
  }
})

t.test('the fastest engine that is linear is chosen', async t => {
  const rows: [pattern: string, engine: string][] = [
    ['http://h/a', 'literal'],
    ['http://h/<.*>', 'prefix'],
    ['http://h/a<.*>', 'prefix'],
    ['http://<.*>', 'prefix'],
    ['http://h/<(.*)>', 'RegExp'],
    ['http://h/<[^/]*>', 'RegExp'],
    ['http://h/<.+>', 'RegExp'],
    ['http://h/<.*>/a', 'RE2'],
    ['<http|https>://h/a', 'RegExp'],
    ['http://h/<[^/]+>/items/<[0-9]+>', 'RegExp'],
    ['<http|https>://h/<.*>', 'RegExp'],
    ['http://h/<(?!(admin|x)(/|$)).*>', 'RegExp'],
    ['http://h/<((?:[a-z]+/)*)>1', 'RegExp'],
    ['http://h/<.*>/b/<.*>', 'RE2'],
    ['http://h/<(a+)+>', 'RE2'],
    ['http://h/<(a|a)*>', 'RE2'],
    ['http://h/<(a*)*>', 'RE2'],
    ['http://h/<[a-z]+[a-z0-9]+>', 'RE2'],
    ['http://h/<((a)|(b))*>', 'RE2'],
    ['http://h/<(a?){20}>', 'RE2'],
    ['http://h/<(?:a|b|ab)(?:a|b|ab)(?:a|b|ab)>', 'RE2'],
  ]
  for (const [pattern, engine] of rows) t.equal(compileMatcher(pattern, 'regexp').engine, engine, pattern)
})

t.test('a pattern that can match nothing is warned of', async t => {
  for (const pattern of ['myproxy.com/api', 'rpc://h/x', 'http://h/a?x=1', 'http://h/a//b', 'http://h/../b']) {
    t.equal(compileMatcher(pattern, 'regexp').warnings.length, 1, pattern)
  }
  for (const pattern of ['http://h/a/<[a-z]+>/b', '<https?>://h/', '<.*>', 'http://<.*>/x']) {
    t.same(compileMatcher(pattern, 'regexp').warnings, [], pattern)
  }
})
