/** What is wrong with access rules: every mistake with its place, all of them in one error. */

/** Where something stands in a rule file. */
export interface Place {
  /** As the repository names it. */
  readonly file: string
  /** From 1; absent for a file as a whole. */
  readonly line?: number
  readonly column?: number
}

export interface RuleMistake extends Place {
  /** Absent when the mistake belongs to no rule, or to one without id. */
  readonly rule?: string | undefined
  readonly message: string
}

/** `rules/shop.yml:12:7 rule "shop:orders": Value "foo" of "mutators[0]" is not in list of supported mutators: [...]` */
export function mistakeText({ file, line, column, rule, message }: RuleMistake): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  return `${place} ${rule === undefined ? '' : `rule ${JSON.stringify(rule)}: `}${message}`
}

/** Beyond this many lines nobody reads on; `mistakes` has them all. */
const printed = 50

/** Rules that the gateway refuses to work by. `message` has one line per mistake. */
export class RuleMistakes extends Error {
  override readonly name = 'RuleMistakes'
  readonly mistakes: readonly RuleMistake[]

  constructor(mistakes: readonly RuleMistake[]) {
    const lines = mistakes.slice(0, printed).map(mistakeText)
    if (mistakes.length > printed) lines.push(`... and ${mistakes.length - printed} more`)
    super(lines.join('\n'))
    this.mistakes = mistakes
  }
}
