/** Who may import whom: the two halves, gateway and identity, meet only in `session/`. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const src = resolve(import.meta.dirname, '../src')

/** A folder (or file) of `src/`, and the ones it may import; `x:types` for types alone. */
const table: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['cli', 'config', 'errors.ts', 'version.ts'],
  'cli': [
    'access', 'config', 'http', 'identity', 'log.ts', 'metrics', 'part-options.ts', 'proxy', 'runtime.ts', 'selfservice', 'session', 'start.ts', 'store',
    'tls', 'version.ts', 'workers',
  ],
  'start.ts': [
    'access', 'acme', 'admin:types', 'config', 'ending.ts', 'gateway.ts', 'http', 'identity', 'listeners.ts', 'load-later.ts', 'log.ts', 'metrics',
    'part-options.ts', 'proxy', 'selfservice', 'session', 'stalls.ts', 'store', 'tls', 'tracing', 'version.ts',
  ],
  'ending.ts': ['http:types'],
  'load-later.ts': [],
  'listeners.ts': [
    'acme:types', 'config', 'errors.ts:types', 'gateway.ts', 'http', 'log.ts:types', 'metrics:types', 'request-log.ts', 'tls:types', 'tracing:types',
  ],
  'part-options.ts': ['access:types', 'config', 'http', 'identity:types', 'proxy:types', 'selfservice', 'session'],
  'gateway.ts': [
    'access', 'admin', 'config:types', 'errors.ts', 'http', 'log.ts', 'metrics:types', 'proxy', 'request-log.ts', 'selfservice',
  ],
  'request-log.ts': ['errors.ts', 'http', 'log.ts'],
  'admin': ['access', 'errors.ts', 'http', 'identity', 'selfservice', 'session', 'store:types'],
  'metrics': ['errors.ts', 'http:types', 'selfservice:types', 'session:types', 'store:types'],
  'tracing': [
    'access:types', 'config', 'errors.ts', 'gateway.ts:types', 'http', 'identity:types', 'metrics:types', 'proxy:types', 'store:types', 'version.ts',
  ],
  'selfservice': ['config', 'errors.ts', 'http', 'identity', 'session', 'store:types'],
  'identity': ['config', 'errors.ts', 'store:types'],
  'access': ['config', 'errors.ts', 'http', 'session', 'store:types'],
  'proxy': ['access:types', 'config', 'errors.ts', 'http'],
  'session': ['errors.ts', 'store:types'],
  'store': ['config', 'errors.ts'],
  'acme': ['errors.ts', 'http:types', 'log.ts:types', 'store:types', 'tls'],
  'tls': ['config', 'http:types', 'log.ts:types'],
  'http': ['config:types', 'errors.ts'],
  'config': ['errors.ts'],
  'errors.ts': [],
  'log.ts': [],
  'runtime.ts': [],
  'stalls.ts': [],
  'version.ts': [],
  'workers': ['log.ts'],
}

t.test('every import is in the table of who may import whom', async t => {
  const imports = files(src).flatMap(file => importsOf(file))
  t.ok(imports.some(({ from, to }) => from === 'access' && to === 'session'), 'imports are seen at all')
  const forbidden = imports.filter(({ from, to, typesOnly }) => {
    if (from === to) return false
    const allowed = table[from] ?? []
    return !(allowed.includes(to) || (typesOnly && allowed.includes(`${to}:types`)))
  })
  t.strictSame(forbidden.map(({ file, target }) => `${file} imports ${target}`), [])
})

t.test('every folder of src is in the table', async t => {
  t.strictSame(readdirSync(src).filter(name => !Object.hasOwn(table, name)), [])
})

t.test('no file exports a default or re-exports a whole module', async t => {
  t.strictSame(files(src).filter(file => /^export (default\b|\* from)/m.test(readFileSync(file, 'utf8'))), [])
})

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts')).map(name => join(folder, name))
}

interface Import {
  readonly file: string
  readonly from: string
  readonly to: string
  readonly target: string
  readonly typesOnly: boolean
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const imports = text.matchAll(/^(?:import|export)\s+(type\s)?(?:([^'"]*?)\sfrom\s)?'(\.[^']+)'|import\('(\.[^']+)'\)/gm)
  return [...imports].map(([, type, names, path, dynamic]) => {
    const target = relative(src, resolve(dirname(file), (path ?? dynamic) as string)).replace(/\.js$/, '.ts')
    return { file: relative(src, file), from: top(relative(src, file)), to: top(target), target, typesOnly: type !== undefined || onlyTypes(names) }
  })
}

/** `{ type A, type B }`. */
function onlyTypes(names: string | undefined): boolean {
  const inside = /^\{([^}]*)\}$/s.exec(names?.trim() ?? '')?.[1]
  return inside !== undefined && inside.split(',').every(name => name.trim() === '' || name.trim().startsWith('type '))
}

function top(path: string): string {
  return path.split('/')[0] as string
}
