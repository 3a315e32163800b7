/** What is wrong with a configuration: every mistake with its place, all of them in one error. */

/** Where something was written. */
export interface Place {
  /** The file as it was named on the command line; absent for the environment, and for what stands nowhere. */
  readonly file?: string
  /** From 1. */
  readonly line?: number
  /** From 1. */
  readonly column?: number
  /** The dotted path as it was written, or the environment variable; `''` for a file as a whole. */
  readonly path: string
}

/** One mistake. Neither its path nor its message ever shows a configured value. */
export interface ConfigProblem extends Place {
  readonly message: string
}

/** `config/oathgate.yml:12:5 urls.registration_iu is not a known key; did you mean registration_ui?` */
export function problemText(problem: ConfigProblem): string {
  const position = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`
  const place = problem.file === undefined ? '' : `${problem.file}${position}`

  return [place, problem.path, problem.message].filter(part => part !== '').join(' ')
}

/** Beyond this many lines nobody reads on; `problems` has them all. */
const printedProblems = 50

/** A configuration that the gateway refuses to start with. `message` has one line per problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.slice(0, printedProblems).map(problemText)
    if (problems.length > printedProblems) lines.push(`... and ${problems.length - printedProblems} more`)
    super(lines.join('\n'))
    this.problems = problems
  }
}
