/** The path that the upstream gets: its own base path, then the request's, with `strip_path` cut off (contract 1.7, security U17). */
import type { Upstream } from '../access/pipeline.js'

/** `path` is canonical and stays so. The prefix is cut at a segment boundary only: `/api` leaves `/apiary` alone. */
export function upstreamPath({ basePath, stripPath }: Pick<Upstream, 'basePath' | 'stripPath'>, path: string): string {
  const rest = stripPath === undefined ? path : strip(stripPath, path)
  return basePath + rest || '/'
}

function strip(prefix: string, path: string): string {
  if (!path.startsWith(prefix)) return path
  if (path.length === prefix.length) return ''
  return path[prefix.length] === '/' ? path.slice(prefix.length) : path
}
