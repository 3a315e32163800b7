/** A command line that makes no sense: answered with the usage and exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  /** The command whose usage helps, where it is another than the one that was asked for. */
  readonly command: string | undefined

  constructor(message: string, command?: string) {
    super(message)
    this.command = command
  }
}
