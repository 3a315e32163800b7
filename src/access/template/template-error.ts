/** What is wrong with a template: found when it is compiled, with its place. */

/** A template that does not compile. `message` begins with `line:column`, both counted from 1. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError'
  /** The problem without its place; in Go's words where rule authors know them. */
  readonly problem: string
  readonly line: number
  readonly column: number

  constructor(problem: string, source: string, offset: number) {
    const [line, column] = placeOf(source, offset)
    super(`${line}:${column}: ${problem}`)
    this.problem = problem
    this.line = line
    this.column = column
  }
}

/** Line and column, counted from 1, of an offset in a text. */
export function placeOf(source: string, offset: number): readonly [line: number, column: number] {
  const before = source.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  return [before.split('\n').length, offset - lineStart + 1]
}
