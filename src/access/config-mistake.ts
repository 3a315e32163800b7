/** What is wrong with a handler's `config` beyond its schema. */
import type { Path } from './rule-source.js'

/** Thrown by a handler's `create`: a sentence, and the place in `config` that it is about. */
export class ConfigMistake extends Error {
  override readonly name = 'ConfigMistake'
  readonly path: Path

  constructor(path: Path, message: string) {
    super(message)
    this.path = path
  }

  /** What `make` makes; what it throws is told about the given place. */
  static at<Made>(path: Path, make: () => Made): Made {
    try {
      return make()
    } catch (error) {
      throw new ConfigMistake(path, `${path.join('.')}: ${(error as Error).message}`)
    }
  }
}
