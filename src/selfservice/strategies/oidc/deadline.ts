/** One time limit over several questions, so that a slow provider costs a person seconds, not seconds each. */

/** Rejects when the time is over, whichever question is open then. What is left unanswered has limits of its own. */
export type InTime = <Answer>(answer: Promise<Answer>) => Promise<Answer>

/** A limit that begins now. */
export function startDeadline(ms: number): InTime {
  const end = performance.now() + ms
  return async answer => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => { reject(new Error(`no answer within ${ms} ms`)) }, Math.max(0, end - performance.now()))
    })
    return Promise.race([answer, late]).finally(() => { clearTimeout(timer) })
  }
}
