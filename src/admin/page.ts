/** Paging of lists by `limit` and `offset`, as both predecessors do it. */

export interface Page {
  readonly limit: number
  readonly offset: number
}

/** What can't be read as a number counts as absent, what is negative as 0. */
export function readPage(query: URLSearchParams, limits: { readonly normal: number, readonly most: number }): Page {
  return {
    limit: Math.min(count(query.get('limit'), limits.normal), limits.most),
    offset: count(query.get('offset'), 0),
  }
}

function count(text: string | null, otherwise: number): number {
  if (text === null || !/^-?[0-9]{1,9}$/.test(text)) return otherwise
  return Math.max(0, Number(text))
}
