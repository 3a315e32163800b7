/** A place that rules come from. */
import type { RuleFile } from '../rules.js'

export interface Repository {
  /** All its files as they are now. Rejects with a sentence when one of them can't be had whole. */
  read(): Promise<RuleFile[]>
  /** Calls `changed` when something may have changed since the last `read` began, shortly after the last sign of it. */
  watch(changed: () => void): void
  close(): void
}
