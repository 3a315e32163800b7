/** How upstreams in the wild read the path of a request: models that attacks are checked against. */

/** What an upstream takes the path for; `undefined` when it would refuse it. */
export type PathModel = (target: string) => string | undefined

const segmentsResolved = (path: string): string => {
  const kept: string[] = []
  const segments = path.split('/').slice(1)
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    if (segment === '..') kept.pop()
    else if (segment !== '.' && !(segment === '' && !isLast)) kept.push(segment)
    if (isLast && (segment === '.' || segment === '..')) kept.push('')
  }
  return `/${kept.join('/')}`
}

const decodedOnce = (path: string): string | undefined => {
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

const pathOf = (target: string): string => target.replace(/[?#].*$/s, '')

const apply = (text: string | undefined, ...steps: readonly ((text: string) => string | undefined)[]): string | undefined =>
  steps.reduce<string | undefined>((path, step) => path === undefined ? undefined : step(path), text)

/** By name, so that a failing property says which kind of upstream was reached. */
export const pathModels: Readonly<Record<string, PathModel>> = {
  /** Decodes, merges slashes, resolves dots: nginx `location`, Caddy, koa-static, Python's http.server. */
  nginx: target => apply(pathOf(target), decodedOnce, segmentsResolved),
  /** The WHATWG parser, which also takes backslashes for slashes and `%2e` for a dot. */
  url: target => {
    try {
      return new URL(target, 'http://upstream.test').pathname
    } catch {
      return undefined
    }
  },
  /** The same, decoded afterwards, as many frameworks do. */
  urlDecoded: target => apply(pathModels['url']?.(target), decodedOnce, segmentsResolved),
  /** Python: unquote, then posixpath.normpath. */
  python: target => apply(pathOf(target), decodedOnce, path => segmentsResolved(path).replace(/(.)\/$/, '$1')),
  /** Two layers that decode, one behind the other. */
  twice: target => apply(pathOf(target), decodedOnce, path => decodedOnce(path) ?? path, segmentsResolved),
  /** Windows and its friends. */
  backslash: target => apply(pathOf(target), decodedOnce, path => segmentsResolved(path.replaceAll('\\', '/'))),
  /** Servlet containers: path parameters are cut off each segment before it is decoded and resolved. */
  servlet: target => apply(pathOf(target), path => path.replace(/;[^/]*/g, ''), decodedOnce, segmentsResolved),
}
